"""
Rules for sends to groups and for events, and sends that wait for their judgement.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.message.ingress.group_case import GroupCase
from tests.message.store.group_contract import CREW
from wsmsg.errors import WsmsgError
from wsmsg.events.group_change import GROUP, GroupChange, encode_change
from wsmsg.events.recall import RECALL
from wsmsg.flow.expiring import Expiring
from wsmsg.message.cluster.message_ids import MessageIds
from wsmsg.message.ingress.group_rules import (
    CONFIRMED_S,
    KNOWN_S,
    GroupRules,
)
from wsmsg.message.ingress.ingress import Ingress
from wsmsg.message.ingress.interface import SendRequest
from wsmsg.message.log.appends import Appends
from wsmsg.model import RECALLED, TEXT, Message, group_conversation, group_of


class GroupIngressTests(GroupCase):
    """
    Sends to groups, and changes of groups.
    """

    # -- saying

    def test_members_only(self) -> None:
        """
        Members send to a group; messages of others do not reach the journal.
        """
        self.send("a", sender=2)
        self.send("b", sender=3)
        self.assertEqual(self.codes(), {"a": "accepted", "b": "forbidden"})
        self.assertEqual(self.said(), ["a"])

    def test_believed_for_a_second(self) -> None:
        """
        A member's next sends need no query for a second; after it, a user whom another
        Message removed is refused.
        """
        self.send("a", sender=2)
        del self.store.groups[CREW][2][2]
        self.now += int(CONFIRMED_S * 1000) - 1
        self.send("b", sender=2)
        self.now += 1
        self.send("c", sender=2)
        self.assertEqual(
            self.codes(), {"a": "accepted", "b": "accepted", "c": "forbidden"}
        )
        self.assertEqual(self.store.lookups, 2)

    def test_clock_set_back(self) -> None:
        """
        A membership is believed for a second, also when the system clock is set back.
        """
        seconds = [1000.0]
        self.ingress = Ingress(
            Appends(self.journal, self.store, Clock()),
            self.store,
            MessageIds(self.now_ms),
            self.now_ms,
            rules=GroupRules(
                self.store,
                self.now_ms,
                group_members=5,
                recall_s=60,
                shared=True,
                seconds=lambda: seconds[0],
            ),
            limit=20,
            content_bytes=100,
        )
        self.send("a", sender=2)
        del self.store.groups[CREW][2][2]
        self.now -= 3_600_000
        self.send("b", sender=2)
        seconds[0] += 1
        self.send("c", sender=2)
        self.assertEqual(
            self.codes(), {"a": "accepted", "b": "accepted", "c": "forbidden"}
        )

    def test_one_lookup_a_batch(self) -> None:
        """
        A batch of sends to groups needs one query and one append, however many they
        are.
        """
        self.store.groups["g:78"] = self.store.groups[CREW]
        batch = [
            SendRequest(0, sender, f"{sender}{to}", to, "hi", TEXT)
            for sender in (1, 2)
            for to in (CREW, "g:78")
        ]
        self.offer(*batch)
        self.assertEqual((self.store.lookups, len(self.journal.appends)), (1, 1))

    def test_two_users_are_not_looked_up(self) -> None:
        """
        A message in a conversation of two is appended at once.
        """
        self.send("a", to="u:1:2")
        self.assertEqual((self.store.lookups, self.said()), (0, ["a"]))

    def test_order(self) -> None:
        """
        While a sender's request is judged, the sender's next ones to the same
        conversation wait; other conversations do not.
        """
        looking: Deferred[object] = Deferred()
        self.store.readable_from = lambda keys: looking  # type: ignore[assignment, method-assign, return-value]
        self.offer(
            SendRequest(0, 1, "a", CREW, "hi", TEXT),
            SendRequest(0, 1, "x", "u:1:2", "hi", TEXT),
        )
        self.offer(SendRequest(0, 1, "b", CREW, "hi", TEXT))
        self.offer(SendRequest(0, 1, "c", CREW, "hi", TEXT))
        self.assertEqual((self.said(), self.ingress.in_flight), (["x"], 4))
        looking.callback({(CREW, 1): 1})
        self.durable()
        self.assertEqual(self.said(), ["x", "a", "b", "c"])
        self.assertEqual(self.ingress.in_flight, 0)

    def test_behind_a_recall(self) -> None:
        """
        A message that is sent after a recall stays behind it.
        """
        looking: Deferred[object] = Deferred()
        self.store.page = lambda *_: looking  # type: ignore[assignment, method-assign]
        self.offer(
            SendRequest(0, 1, "r", "u:1:2", "1", RECALL),
            SendRequest(0, 1, "a", "u:1:2", "hi", TEXT),
        )
        self.assertEqual(self.said(), [])
        idle = self.ingress.idle()
        message = Message("u:1:2", 1, "s", 1, "hi", TEXT, self.now, 1)
        looking.callback(([message], 1))
        self.assertEqual(self.said(), ["r", "a"])
        self.assertNoResult(idle)
        self.durable()
        self.successResultOf(idle)

    def test_bound(self) -> None:
        """
        Requests that wait for their judgement count as in flight.
        """
        self.store.readable_from = lambda keys: Deferred()  # type: ignore[method-assign]
        self.offer(*(SendRequest(0, 1, f"c{i}", CREW, "hi", TEXT) for i in range(21)))
        self.assertEqual(self.codes(), {"c20": "overloaded"})

    def test_store_down(self) -> None:
        """
        While the store is down senders to groups are asked to try again.
        """
        self.store.down = True
        self.send("a")
        self.assertEqual(self.code("a"), "unavailable")
        answer = self.answers["a"]
        assert isinstance(answer, WsmsgError)
        self.assertGreater(answer.retry_after_ms, 0)
        self.assertEqual((self.ingress.in_flight, self.said()), (0, []))

    def test_known_members_while_the_store_is_down(self) -> None:
        """
        While the store is down, a user whom it confirmed as a member within the last
        minute may send; other users, and changes of the group, have to wait.
        """
        self.send("a", sender=2)
        self.now += 30_000
        self.store.down = True
        self.send("b", sender=2)
        self.send("c")
        self.change("d", sender=2, add=[3])
        self.now += int(KNOWN_S * 1000) - 30_001
        self.send("e", sender=2, to=CREW)
        codes = self.codes()
        self.assertEqual(
            [codes[c] for c in "abcd"],
            ["accepted", "accepted", "unavailable", "unavailable"],
        )
        self.assertEqual(self.said()[:2], ["a", "b"])
        self.now += 60_001
        self.send("f", sender=2)
        self.assertEqual(self.code("f"), "unavailable")

    def test_removed_member_while_the_store_is_down(self) -> None:
        """
        A member whose removal was accepted here sends no more, also while the store is
        down.
        """
        self.send("a", sender=2)
        self.change("b", remove=[2])
        self.store.down = True
        self.now += 10_000
        self.send("c", sender=2)
        self.assertEqual(
            self.codes(), {"a": "accepted", "b": "accepted", "c": "unavailable"}
        )

    def test_refused_member_is_not_known(self) -> None:
        """
        A user whom the store no longer has as a member is not known while it is down.
        """
        self.send("a", sender=2)
        del self.store.groups[CREW][2][2]
        self.now += 2000
        self.send("b", sender=2)
        self.store.down = True
        self.now += 2000
        self.send("c", sender=2)
        self.assertEqual(
            self.codes(), {"a": "accepted", "b": "forbidden", "c": "unavailable"}
        )

    def test_repeated_after_leaving(self) -> None:
        """
        A repeated message is accepted again, even if its sender is no longer a member.
        """
        message = self.stored(3, sender=9)
        self.send("s3", sender=9)
        self.assertEqual(self.answers, {"s3": message.time_ms})
        self.assertEqual(self.said(), [])

    # -- changing

    def test_make(self) -> None:
        """
        Any user can create a group, and send to it before it is stored.
        """
        to = self.make("new", 5, sender=4)
        self.send("a", sender=4, to=to)
        self.send("b", sender=5, to=to)
        self.send("c", sender=6, to=to)
        self.assertEqual(
            self.codes(),
            {"new": "accepted", "a": "accepted", "b": "accepted", "c": "forbidden"},
        )

    def test_make_again(self) -> None:
        """
        The same request creates the same group; another request with its client id is a
        conflict.
        """
        self.make("new", 5)
        first = self.answers.pop("new")
        self.make("new", 5)
        self.assertEqual(self.answers.pop("new"), first)
        self.make("new", 6)
        self.assertEqual(self.code("new"), "conflict")
        self.assertEqual(self.said(), ["new"])

    def test_make_not_of_this_number(self) -> None:
        """
        A user can neither choose the number of a group nor create an existing one.
        """
        self.make("a", to="g:5")
        self.assertEqual(self.code("a"), "bad_request")
        taken = group_conversation(group_of(1, "b"))
        self.store.groups[taken] = (GroupChange(True), 9, {9: 1})
        self.make("b")
        self.assertEqual(self.code("b"), "conflict")

    def test_make_without_oneself(self) -> None:
        """
        The creator of a group must be a member of it.
        """
        change = encode_change(GroupChange(True, "x", add=(2,)))
        self.send("a", change, GROUP, to=group_conversation(group_of(1, "a")))
        self.assertEqual(self.code("a"), "bad_request")

    def test_owner(self) -> None:
        """
        The owner adds and removes members; members can only leave; others change
        nothing.
        """
        self.change("a", add=[3])
        self.change("b", sender=2, add=[4])
        self.change("c", sender=2, remove=[1])
        self.change("d", sender=9, add=[9])
        self.change("e", sender=9, remove=[9])
        self.change("f", remove=[3])
        self.change("g", sender=2, remove=[2])
        codes = dict.fromkeys("bcde", "forbidden") | dict.fromkeys("afg", "accepted")
        self.assertEqual(self.codes(), codes)

    def test_at_once(self) -> None:
        """
        A user who was added can send at once, and one who was removed cannot, before
        the store knows.
        """
        self.change("a", add=[3])
        self.send("b", sender=3)
        self.send("c", sender=2)
        self.change("d", remove=[2])
        self.send("e", sender=2)
        self.change("f", add=[2])
        self.send("g", sender=2)
        codes = dict.fromkeys("abcdfg", "accepted") | {"e": "forbidden"}
        self.assertEqual(self.codes(), codes)

    def test_members_bound(self) -> None:
        """
        A group has no more members than the limit, even if several changes in flight
        add them.
        """
        self.change("a", add=[3, 4])
        self.change("b", add=[5, 6])
        self.change("c", add=[2, 3, 5])
        self.change("d", add=[6])
        self.make("e", 2, 3, 4, 5, 6)
        self.assertEqual(
            self.codes(),
            {
                "a": "accepted",
                "b": "too_large",
                "c": "accepted",
                "d": "too_large",
                "e": "too_large",
            },
        )

    def test_bad_changes(self) -> None:
        """
        A change without effect, a content that is not valid and an unknown kind of
        event are refused.
        """
        for n, (content, kind) in enumerate(
            [
                ("", GROUP),
                ("{}", GROUP),
                ('{"add":[3],"remove":[3]}', GROUP),
                ('{"add":[0]}', GROUP),
                ('{"add":' + str(list(range(1, 1003))) + "}", GROUP),
                ("[" * 50_000, GROUP),
                ("x", RECALL),
                ("0", RECALL),
                ("-1", RECALL),
                ("", RECALLED),
                ("1", 1000),
                ("1", 5000),
            ]
        ):
            self.send(f"c{n}", content, kind)
        self.assertEqual(set(self.codes().values()), {"bad_request"})
        self.send("u", '{"add":[3]}', GROUP, to="u:1:2")
        self.assertEqual(self.code("u"), "bad_request")


class LatelyTests(SynchronousTestCase):
    """
    L{Expiring}.
    """

    def test_forgets(self) -> None:
        """
        An entry lasts for its time, counted anew when it is set again, and is kept
        neither longer nor over the limit.
        """
        now = [0]
        entries: Expiring[str, int] = Expiring(lambda: now[0], 10, limit=3)
        entries.put(["a", "b"], 1)
        now[0] = 5
        entries.put(["a"], 2)
        now[0] = 9
        self.assertEqual((entries.get("a"), entries.get("b")), (2, 1))
        now[0] = 10
        self.assertEqual((entries.get("a"), entries.get("b")), (2, None))
        entries.put(["c"], 3)
        self.assertEqual(len(entries), 2)
        entries.put(["d", "e"], 4)
        self.assertEqual((len(entries), entries.get("a")), (3, None))
        entries.drop("c")
        self.assertIsNone(entries.get("c"))

    def test_size(self) -> None:
        """
        With sizes, the limit is that of all values together.
        """
        entries: Expiring[str, str] = Expiring(lambda: 1, 10, limit=10, size_of=len)
        entries.put(["a", "b"], "xxxx")
        entries.put(["a"], "xx")
        entries.put(["c"], "xxxx")
        self.assertEqual([entries.get(key) for key in "abc"], ["xx", "xxxx", "xxxx"])
        entries.put(["d"], "x")
        self.assertEqual([key for key in "abcd" if entries.get(key)], ["a", "c", "d"])
        entries.put(["e"], "x" * 20)
        self.assertEqual(len(entries), 0)
