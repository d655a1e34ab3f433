"""
The contract of every L{IMessageStore}.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from tests.message.store.consent_contract import ConsentTests
from tests.message.store.cursor_contract import StorePlace, said
from tests.message.store.mark_contract import MarkTests
from tests.message.store.right_contract import RightTests
from tests.message.store.usage_contract import UsageTests
from wsmsg.dependency.state import State
from wsmsg.errors import Unavailable
from wsmsg.message.store.interface import HeadRow, IMessageStore, Outcome
from wsmsg.model import Cursor, Message, MessageIdentity

INSERTED, REPEATED, TAKEN, SKIPPED, REFUSED = Outcome


def make_store_tests(make_place: Callable[[TestCase], StorePlace]) -> type[TestCase]:
    """
    Make the tests of the behaviour that every L{IMessageStore} has.
    """

    class StoreTests(MarkTests, RightTests, UsageTests, ConsentTests):
        async def setUp(self) -> None:  # type: ignore[override]
            self.place = make_place(self)
            self.store = await self.place.open()
            verifyObject(IMessageStore, self.store)

        async def assert_holds(self, *messages: Message) -> None:
            """
            Check that the conversation of two has these messages, the last one as its
            head.
            """
            head = messages[-1].seq if messages else 0
            self.assertEqual(
                await self.store.page("u:1:2", 0, 20_000), (list(messages), head)
            )
            self.assertEqual(await self.store.heads(["u:1:2"]), {"u:1:2": head})

        # -- insert

        async def test_insert(self) -> None:
            """
            New messages are stored, found by identity and read by number.
            """
            messages = [said(i) for i in (1, 2, 3)]
            self.assertEqual(await self.insert(messages), [INSERTED] * 3)
            await self.assert_holds(*messages)
            self.assertEqual(
                await self.store.find([messages[1].identity]),
                {messages[1].identity: messages[1]},
            )

        async def test_extra(self) -> None:
            """
            The extra of a message is found, read and listed with it, beside messages
            that have none, and after a restart.
            """
            odd = '-7 0 \u65e5"\n'
            messages = [said(1, extra=odd), said(2), said(3, extra="5 1 k")]
            self.assertEqual(await self.insert(messages), [INSERTED] * 3)
            for _ in range(2):
                await self.assert_holds(*messages)
                found = await self.store.find([m.identity for m in messages])
                self.assertEqual(list(found.values()), messages)
                unread = await self.store.unread(2, [("u:1:2", 0)], 9)
                self.assertEqual(list(unread.messages), messages)
                self.store = await self.place.kill()

        async def test_by_ids(self) -> None:
            """
            Messages are found by their ids, in whatever conversation, and after a
            restart; other ids, and those that no store can hold, find nothing.
            """
            messages = [said(1), said(2), said(1, conversation="u:3:4", sender=3)]
            messages[2] = msgspec.structs.replace(messages[2], message_id=2**60)
            await self.insert(messages)
            for _ in range(2):
                found = await self.store.by_ids([101, 2**60, 7, 2**70, -1])
                self.assertEqual(found, {101: messages[0], 2**60: messages[2]})
                self.store = await self.place.kill()
            self.assertEqual(await self.store.by_ids([]), {})

        async def test_insert_nothing(self) -> None:
            """
            No messages have no outcomes.
            """
            self.assertEqual(await self.insert([]), [])

        async def test_goes_on(self) -> None:
            """
            A conversation continues in the next batch, together with others.
            """
            other = said(1, conversation="u:1:3")
            await self.insert([said(1), other])
            self.assertEqual(
                await self.insert([said(2), said(2, conversation="u:1:3")]),
                [INSERTED] * 2,
            )
            await self.assert_holds(said(1), said(2))

        async def test_not_from_one(self) -> None:
            """
            A conversation need not begin with number 1.
            """
            self.assertEqual(await self.insert([said(5)]), [INSERTED])
            await self.assert_holds(said(5))

        async def test_repeated(self) -> None:
            """
            An identity that is stored is not stored again with another number, and the
            rest of its conversation is not tried.
            """
            await self.insert([said(1), said(2)])
            self.assertEqual(
                await self.insert([said(3), said(4, "c2"), said(5)]),
                [INSERTED, REPEATED, SKIPPED],
            )
            await self.assert_holds(said(1), said(2), said(3))

        async def test_same_batch_again(self) -> None:
            """
            A batch that is stored already, by identity and number, is repeated.
            """
            messages = [said(1), said(2)]
            await self.insert(messages)
            self.assertEqual(await self.insert(messages), [REPEATED, SKIPPED])
            await self.assert_holds(*messages)

        async def test_repeated_within_the_batch(self) -> None:
            """
            An identity that is twice in a batch is stored once.
            """
            self.assertEqual(
                await self.insert([said(1, "a"), said(2, "a"), said(3, "b")]),
                [INSERTED, REPEATED, SKIPPED],
            )
            await self.assert_holds(said(1, "a"))

        async def test_taken(self) -> None:
            """
            A number of another message is taken, and the rest of the conversation is
            not tried.
            """
            await self.insert([said(1), said(2)])
            self.assertEqual(
                await self.insert([said(2, "x"), said(3, "y")]), [TAKEN, SKIPPED]
            )
            await self.assert_holds(said(1), said(2))

        async def test_conversations_do_not_stop_each_other(self) -> None:
            """
            A conversation that stops does not stop others of the batch.
            """
            await self.insert([said(1)])
            others = [said(i, conversation="u:3:4") for i in (1, 2)]
            self.assertEqual(
                await self.insert([others[0], said(1, "x"), others[1], said(2)]),
                [INSERTED, TAKEN, INSERTED, SKIPPED],
            )
            self.assertEqual(await self.store.page("u:3:4", 0, 9), (others, 2))

        async def test_same_client_id_elsewhere(self) -> None:
            """
            A client id is unique only within its sender and conversation.
            """
            batch = [
                said(1, "a"),
                said(2, "a", sender=2),
                said(1, "a", conversation="u:1:3"),
            ]
            self.assertEqual(await self.insert(batch), [INSERTED] * 3)

        async def test_refused(self) -> None:
            """
            A message that cannot be stored is refused and stops its conversation, not
            others.
            """
            for bad in (
                said(1, content="\ud800"),
                said(1, "\udfff"),
                said(0),
                said(1, sender=2**63),
                said(2**64),
            ):
                seq = (await self.store.heads(["u:5:6"]))["u:5:6"] + 1
                other = said(seq, conversation="u:5:6")
                self.assertEqual(
                    await self.insert([bad, other, said(2)]),
                    [REFUSED, INSERTED, SKIPPED],
                    bad,
                )
            await self.assert_holds()

        async def test_any_text(self) -> None:
            """
            Texts are returned unchanged, with null characters, quotes and characters of
            every plane, whether the batch is stored at once or row by row.
            """
            texts = [
                "\x00",
                "a\x00b\\u0000\"'",
                "\u2028\u00e9\u0301\ufeff",
                "\U0010ffff\U0001f600",
                "",
                "\x01\x1f\x7f\r\n\t",
                "x" * 65536,
            ]
            messages = [
                said(i, f"id{i}{text[:9]}", content=text)
                for i, text in enumerate(texts, 1)
            ]
            await self.insert(messages)
            await self.assert_holds(*messages)
            self.assertEqual(
                list(await self.store.find([m.identity for m in messages])),
                [m.identity for m in messages],
            )
            slow = [said(i + 20, content=text) for i, text in enumerate(texts)]
            self.assertEqual(
                await self.insert([*slow, said(99, "id1\x00")]),
                [INSERTED] * len(slow) + [REPEATED],
            )
            await self.assert_holds(*messages, *slow)

        async def test_big_batch(self) -> None:
            """
            Ten thousand messages of many conversations are stored in one batch; if one
            number is taken, all but the rest of its conversation.
            """
            names = [f"u:{i}:{i + 1}" for i in range(1, 101)]
            batch = [
                said(seq, conversation=name) for seq in range(1, 101) for name in names
            ]
            self.assertEqual(await self.insert(batch), [INSERTED] * 10_000)
            self.assertEqual(await self.store.heads(names), dict.fromkeys(names, 100))
            found = await self.store.find([m.identity for m in batch])
            self.assertEqual(len(found), 10_000)

        async def test_kill(self) -> None:
            """
            Messages that were stored are there after a kill.
            """
            await self.insert([said(1), said(2)])
            await self.store.move_cursors([Cursor("u:1:2", 2, 1, 1)])
            self.store = await self.place.kill()
            await self.assert_holds(said(1), said(2))
            self.assertEqual(
                await self.store.cursors([("u:1:2", 2)]),
                {("u:1:2", 2): Cursor("u:1:2", 2, 1, 1)},
            )

        # -- reading

        async def test_find_only_what_is_there(self) -> None:
            """
            Identities that are not stored, or cannot be, are missing in the result.
            """
            await self.insert([said(1)])
            there = said(1).identity
            absent = [
                MessageIdentity("u:1:2", 1, "other"),
                MessageIdentity("u:1:2", 2, "c1"),
                MessageIdentity("u:1:3", 1, "c1"),
                MessageIdentity("u:1:2", 2**70, "c1"),
                MessageIdentity("u:1:2", 1, "\ud800"),
            ]
            self.assertEqual(await self.store.find([*absent, there]), {there: said(1)})
            self.assertEqual(await self.store.find([]), {})

        async def test_heads(self) -> None:
            """
            A conversation without messages has the head 0.
            """
            await self.insert([said(1), said(2)])
            self.assertEqual(
                await self.store.heads(["u:8:9", "u:1:2", "\ud800"]),
                {"u:8:9": 0, "u:1:2": 2, "\ud800": 0},
            )

        async def test_page(self) -> None:
            """
            A page begins after the given number, has at most the given length, and
            comes with the head.
            """
            await self.insert([said(i) for i in range(1, 8)])
            self.assertEqual(
                await self.store.page("u:1:2", 2, 3), ([said(3), said(4), said(5)], 7)
            )
            self.assertEqual(await self.store.page("u:1:2", 7, 3), ([], 7))
            self.assertEqual(await self.store.page("u:1:2", 0, 0), ([], 7))
            self.assertEqual(await self.store.page("u:7:9", 0, 3), ([], 0))
            self.assertEqual(await self.store.page("\ud800", 0, 3), ([], 0))

        async def test_conversations_of(self) -> None:
            """
            A user's conversations are listed with their heads and with the times at
            which their last messages were stored (not accepted), without those of
            others.
            """
            await self.insert([said(1, conversation="u:1:3", time_ms=900)], 100)
            both = [said(2, conversation="u:1:3"), said(1, conversation="u:1:30")]
            await self.insert([*both, said(1, conversation="u:2:3")], 200)
            await self.insert([said(1, conversation="u:1:1", time_ms=2)], 400)
            page = await self.store.conversations_of(1, "", 10)
            rows = sorted(page.rows, key=lambda row: row.conversation)
            self.assertEqual(
                rows,
                [
                    HeadRow("u:1:1", 1, 400, 101),
                    HeadRow("u:1:3", 2, 200, 102),
                    HeadRow("u:1:30", 1, 200, 101),
                ],
            )
            self.assertFalse(page.more)
            self.assertEqual((await self.store.conversations_of(9, "", 10)).rows, [])

        async def test_stopped(self) -> None:
            """
            A stopped store refuses all calls as unavailable, and may be stopped again.
            """
            await self.store.stop()
            await self.store.stop()
            self.assertIs(self.store.dependency.state, State.STOPPED)
            for call in (
                lambda: self.insert([said(1)]),
                lambda: self.store.find([said(1).identity]),
                lambda: self.store.heads(["u:1:2"]),
                lambda: self.store.page("u:1:2", 0, 1),
                lambda: self.store.conversations_of(1, "", 1),
                lambda: self.store.move_cursors([Cursor("u:1:2", 1, 1, 1)]),
                lambda: self.store.cursors([("u:1:2", 1)]),
                lambda: self.store.apply([said(1)]),
                lambda: self.store.members(["g:1"]),
                lambda: self.store.readable_from([("g:1", 1)]),
                lambda: self.store.group("g:1", 0, 1),
            ):
                self.failureResultOf(call(), Unavailable)

    return StoreTests
