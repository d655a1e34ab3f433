"""
A deployed client is given each message once and in order, whatever happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from tests.connect.doubles import NOW_S
from tests.connect.legacy_house import LegacyClient, LegacyHouse, text
from wsmsg import model
from wsmsg.errors import Close, Forbidden, Unavailable
from wsmsg.model import Head, Message

_NOW_MS = int(NOW_S * 1000)


class Stored:
    """
    The store, as a house's upstream reads it.

    @ivar fails: what reads fail with.
    @ivar seen: ids of messages that are not unread.
    @ivar pages: what pages were asked for.
    @ivar unreads: behind which messages the unread were asked for.
    """

    def __init__(self, house: LegacyHouse, *messages: Message) -> None:
        self.messages = list(messages)
        self.fails: Exception | None = None
        self.seen: set[int] = set()
        self.pages: list[tuple[str, int]] = []
        self.unreads: list[int] = []
        up: Any = house.upstream
        up.page, up.heads, up.unread = self._page, self._heads, self._unread
        up.presence = lambda users: succeed([])

    def _page(self, user: int, conversation: str, after: int, limit: int) -> Any:
        self.pages.append((conversation, after))
        if self.fails is not None:
            return fail(self.fails)
        there = [m for m in self.messages if m.conversation == conversation]
        found = [m for m in there if m.seq > after]
        head = max((m.seq for m in there), default=0)
        return succeed((found[:limit], head, len(found) > limit))

    def _heads(self, user: int, since: int, limit: int, after: str = "") -> Any:
        if self.fails is not None:
            return fail(self.fails)
        last: dict[str, Message] = {}
        for m in self.messages:
            last[m.conversation] = m
        rows = [
            Head(name, m.seq, m.time_ms)
            for name, m in sorted(last.items())
            if m.time_ms >= since and name > after
        ]
        return succeed((rows[:limit], len(rows) > limit))

    def _unread(self, user: int, after: int, limit: int) -> Any:
        self.unreads.append(after)
        if self.fails is not None:
            return fail(self.fails)
        left = [
            m
            for m in sorted(self.messages, key=lambda m: m.message_id)
            if m.message_id > after
            and m.message_id not in self.seen
            and m.sender != user
            and m.kind < model.FIRST_EVENT
        ]
        return succeed((left[:limit], len(left), len(left) > limit))


def texts(numbers: Sequence[int], **more: Any) -> list[Message]:
    """
    Messages with these numbers from 7 to 8, sent now.
    """
    return [text(n, time_ms=_NOW_MS + n, **more) for n in numbers]


class FeedTestCase(SynchronousTestCase):
    """
    Has a client of user 8, and a store.
    """

    def begin(self, stored: Sequence[Message] = (), **legacy: Any) -> None:
        """
        The client comes.
        """
        self.house = LegacyHouse(legacy=legacy, page=3)
        self.store = Stored(self.house, *stored)
        self.client = self.house.deployed(8)

    def push(self, *messages: Message, stored: bool = True) -> None:
        """
        Store and push to the client.
        """
        self.store.messages += messages if stored else ()
        self.house.push(*messages, to=8)

    def heard(self, client: LegacyClient | None = None) -> list[int]:
        """
        The numbers of what the client heard since the last time.
        """
        return [int(content) for content in (client or self.client).texts()]


class PushTests(FeedTestCase):
    """
    What is pushed.
    """

    def test_live(self) -> None:
        """
        Messages come as they are pushed, without a read; a repeat is dropped.
        """
        self.begin()
        self.push(*texts([4, 5, 5, 4, 6]))
        self.assertEqual(self.heard(), [4, 5, 6])
        self.assertEqual(self.store.pages, [])
        self.assertEqual(self.house.registry.counts.repeats, 2)
        self.assertEqual(self.house.registry.counts.pushed, 3)

    def test_gap(self) -> None:
        """
        What was skipped is read and comes first, over several pages, each once.
        """
        self.begin()
        self.push(*texts([1]))
        self.store.messages += texts(range(2, 12))
        self.push(*texts([12, 13]))
        self.assertEqual(self.heard(), list(range(1, 14)))

    def test_not_for_it(self) -> None:
        """
        Its user's own messages and events are not given, and leave no gap behind.
        """
        self.begin()
        own = text(2, sender=8, to=7)
        event = text(3, kind=model.RECALL)
        self.push(text(1), own, event, text(4))
        self.assertEqual(self.heard(), [1, 4])
        self.assertEqual(self.store.pages, [])

    def test_recalled(self) -> None:
        """
        What was taken back before it could be read is not given.
        """
        self.begin()
        self.push(text(1))
        self.store.messages += [text(2, kind=model.RECALLED), text(3)]
        self.push(text(4))
        self.assertEqual(self.heard(), [1, 3, 4])

    def test_to_oneself(self) -> None:
        """
        What a user says to themself they hear.
        """
        self.begin()
        self.push(text(1, sender=8, to=8))
        self.assertEqual(self.heard(), [1])

    def test_unreadable(self) -> None:
        """
        While nothing can be read what was skipped waits, and so do later ones; then
        all come.
        """
        self.begin()
        self.push(text(1))
        self.store.messages += [text(2)]
        self.store.fails = Unavailable("not now")
        self.push(text(3), text(4))
        self.assertEqual(self.heard(), [1])
        self.store.fails = None
        self.house.pass_time(0.5)
        self.assertEqual(self.heard(), [])
        self.house.pass_time(0.6)
        self.assertEqual(self.heard(), [2, 3, 4])

    def test_forbidden(self) -> None:
        """
        What the user may not read any more is passed over, and counted.
        """
        self.begin()
        self.push(text(1))
        self.store.fails = Forbidden("not a member")
        self.push(text(3))
        self.store.fails = None
        self.push(text(4))
        self.house.pass_time(1.1)
        self.assertEqual(self.heard(), [1, 4])
        self.assertEqual(self.house.registry.counts.legacy_missed, 2)

    def test_hidden(self) -> None:
        """
        A number that the user is not to see is no reason to wait.
        """
        self.begin()
        self.push(text(1))
        self.push(text(4))
        self.push(text(5))
        self.assertEqual(self.heard(), [1, 4, 5])

    def test_not_stored_yet(self) -> None:
        """
        What is pushed and cannot be found is looked for again.
        """
        self.begin()
        self.push(text(1))
        self.push(text(3), stored=False)
        self.assertEqual(self.heard(), [1])
        self.store.messages += [text(2), text(3)]
        self.house.pass_time(1.1)
        self.assertEqual(self.heard(), [2, 3])

    def test_slow(self) -> None:
        """
        A client that reads slowly misses nothing: what it did not take is read for it
        when it does.
        """
        self.begin()
        self.client.session.outbox.pauseProducing()
        long = "1" * 400_000
        self.push(*(text(n, content=f"{n}{long}") for n in range(1, 9)))
        self.assertEqual(self.client.heard(), [])
        self.assertEqual(self.house.registry.counts.demoted, 1)
        self.client.session.outbox.resumeProducing()
        self.assertEqual(
            [content[:1] for content in self.client.texts()], list("12345678")
        )
        self.house.pass_time(60)
        self.assertIsNone(self.client.peer.code)

    def test_too_slow(self) -> None:
        """
        One that takes nothing at all is closed, as others are.
        """
        self.begin()
        self.client.session.outbox.pauseProducing()
        long = "1" * 400_000
        self.push(*(text(n, content=long) for n in range(1, 5)))
        self.house.pass_time(60)
        self.assertEqual(self.client.peer.code, Close.SLOW_CLIENT)


class ResyncTests(FeedTestCase):
    """
    What was pushed may be incomplete.
    """

    def test_known(self) -> None:
        """
        What was missed in a conversation is read, from where the client was.
        """
        self.begin()
        self.push(*texts([5, 6]))
        self.store.messages += texts([7, 8, 9, 10])
        self.client.session.resync("a stream was lost")
        self.assertEqual(self.heard(), [5, 6, 7, 8, 9, 10])
        self.push(*texts([11]))
        self.assertEqual(self.heard(), [11])

    def test_unknown(self) -> None:
        """
        In a conversation that was silent until then all is given that was said since
        the client connected, and no more.
        """
        before = [text(n, time_ms=_NOW_MS - 60_000) for n in (1, 2, 3)]
        self.begin()
        self.store.messages += [*before, *texts([4, 5])]
        self.client.session.resync("a stream was lost")
        self.assertEqual(self.heard(), [4, 5])

    def test_where_it_was(self) -> None:
        """
        Where the conversations were when the client came is known, so what is older
        is not given, however young.
        """
        self.begin([text(n, time_ms=_NOW_MS - 500) for n in (1, 2)])
        self.store.messages += texts([3])
        self.client.session.resync("a stream was lost")
        self.assertEqual(self.heard(), [3])

    def test_many(self) -> None:
        """
        However many conversations changed, each is looked at.
        """
        self.begin()
        for other in range(100, 110):
            self.store.messages += texts([1], sender=other)
        self.client.session.resync("a stream was lost")
        self.assertEqual(self.heard(), [1] * 10)

    def test_in_vain(self) -> None:
        """
        When nothing can be read it is tried again.
        """
        self.begin()
        self.store.messages += texts([1])
        self.store.fails = Unavailable("not now")
        self.client.session.resync("a stream was lost")
        self.store.fails = None
        self.house.pass_time(1.1)
        self.assertEqual(self.heard(), [1])

    def test_gone(self) -> None:
        """
        For a client that went nothing is read any more.
        """
        self.begin()
        self.store.fails = Unavailable("not now")
        self.client.session.resync("a stream was lost")
        self.client.drop()
        self.store.fails = None
        before = len(self.store.pages)
        self.house.pass_time(5)
        self.assertEqual(len(self.store.pages), before)


class RedeliverTests(FeedTestCase):
    """
    With C{legacy.redeliver}.
    """

    def test_off(self) -> None:
        """
        Without the setting a client that comes back is given nothing.
        """
        self.begin(texts([1, 2]))
        self.assertEqual(self.heard(), [])

    def test_on(self) -> None:
        """
        What is unread is given on connect, over several pages, oldest first, as it was
        the first time.
        """
        self.begin(texts(range(1, 9)), redeliver=True)
        heard = self.client.heard()
        self.assertEqual([m.content for m in heard], [str(n) for n in range(1, 9)])
        self.assertEqual([m.message_id for m in heard], list(range(101, 109)))

    def test_seen(self) -> None:
        """
        What was seen is not given, nor what the user said.
        """
        self.begin()
        self.store.messages += [*texts([1, 2, 3]), text(4, sender=8, to=7)]
        self.store.seen = {102}
        self.house.registry.settings = self.house.settings.model_copy(
            update={
                "legacy": self.house.registry.settings.legacy.model_copy(
                    update={"redeliver": True}
                )
            }
        )
        self.assertEqual(self.heard(self.house.deployed(8)), [1, 3])

    def test_as_it_reads(self) -> None:
        """
        The next page is not read before the client has taken what there was.
        """
        self.begin(texts(range(1, 9)), redeliver=True)
        self.store.fails = Unavailable("not now")
        client = self.house.deployed(8)
        client.session.outbox.pauseProducing()
        self.store.fails = None
        self.house.pass_time(5)
        client.session.outbox.resumeProducing()
        self.assertEqual(self.store.unreads, [0, 103, 106, 0, 0, 103, 106])
        self.assertEqual(self.heard(client), list(range(1, 9)))

    def test_in_turns(self) -> None:
        """
        A page that is too much at once is given in parts.
        """
        long = "1" * 70_000
        many = [text(n, content=f"{n}{long}") for n in (1, 2, 3)]
        self.begin(many, redeliver=True)
        self.assertEqual([t[:1] for t in self.client.texts()], list("123"))
        self.assertEqual(self.store.unreads, [0, 101, 102])

    def test_live_meanwhile(self) -> None:
        """
        What is said while the unread is given comes after it, once.
        """
        self.begin(texts([1, 2]), redeliver=True)
        self.heard()
        self.store.fails = Unavailable("not now")
        client = self.house.deployed(8)
        self.push(*texts([3, 4]))
        self.assertEqual(self.heard(client), [])
        self.store.fails = None
        self.house.pass_time(1.1)
        self.assertEqual(self.heard(client), [1, 2, 3, 4])
        self.push(*texts([5]))
        self.assertEqual(self.heard(client), [5])

    def test_impossible(self) -> None:
        """
        Where it cannot be asked for what is unread, what is said is given all the same.
        """
        self.begin()
        self.store.fails = Forbidden("there is no such thing")
        self.house.registry.settings = self.house.settings.model_copy(
            update={
                "legacy": self.house.registry.settings.legacy.model_copy(
                    update={"redeliver": True}
                )
            }
        )
        client = self.house.deployed(8)
        self.store.fails = None
        self.push(*texts([3]))
        self.house.pass_time(1.1)
        self.assertEqual(self.heard(client), [3])
