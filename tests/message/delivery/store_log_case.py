"""
The case that tests of the log without a journal share.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.message.doubles import MemoryStore
from tests.message.log.log_contract import links_by, with_user
from wsmsg.errors import Unavailable, WsmsgError
from wsmsg.message.delivery.numbering import Numbering
from wsmsg.message.delivery.store_log import StoreLog
from wsmsg.message.links.link import Link
from wsmsg.message.log.interface import Appended
from wsmsg.model import Message


class SlowStore(MemoryStore):
    """
    A store whose inserts are carried out, and whose results come, when the test says.

    @ivar waiting: inserts under way: each one's messages, and what ends it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[tuple[Sequence[Message], Callable[..., None]]] = []

    def insert(
        self, messages: Sequence[Message], stored_ms: int, shards: Sequence[int]
    ) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()

        def end(error: Exception | None = None, *, stores: bool = True) -> None:
            if stores:
                inserted = super(SlowStore, self).insert(messages, stored_ms, shards)
                if error is None:
                    inserted.chainDeferred(done)
                    return
                inserted.addErrback(lambda failure: None)
            done.errback(error or Unavailable("no room"))

        self.waiting.append((messages, end))
        return done

    def end(self, error: Exception | None = None, *, stores: bool = True) -> None:
        """
        End the oldest insert.

        @param error: the failure that its caller sees; L{None}: there is none.
        @param stores: the messages are stored.
        """
        _, end = self.waiting.pop(0)
        end(error, stores=stores)

    def inserting(self) -> list[list[str]]:
        """
        Return the client ids of the messages of each insert under way.
        """
        return [[m.client_id for m in messages] for messages, _ in self.waiting]


class StoreLogTestCase(SynchronousTestCase):
    """
    A log over a store that the test controls, and a Connect with the user 2.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = SlowStore()
        self.store.start()
        self.links = links_by(self.clock)
        self.heard: list[list[str]] = []
        self.log = StoreLog(
            self.store,
            Numbering(self.store, lambda: 5, heads_cached=100),
            self.links,
            self.clock,
            batch=3,
            on_stored=lambda some: self.heard.append([m.client_id for m in some]),
            unix_s=lambda: 0.0,
        )
        self.log.start()
        self.link = with_user(self.links, 2)
        self.addCleanup(self.stop)

    def stop(self) -> None:
        stopped = Deferred.fromCoroutine(self.log.stop())
        self.successResultOf(stopped)
        self.links.give_up_all()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def add(self, *messages: Message) -> Deferred[Appended]:
        return self.log.add(messages)

    def accepted(self, added: Deferred[Appended]) -> Appended:
        result = self.successResultOf(added)
        self.assertIsNone(result.problem)
        return result

    def problem(self, added: Deferred[Appended]) -> WsmsgError:
        problem = self.successResultOf(added).problem
        assert problem is not None
        return problem

    def pushed(self, link: Link | None = None) -> list[tuple[str, int]]:
        """
        Return what has been pushed since the last call, with its numbers.
        """
        frame = (link or self.link).next_frame()
        if frame is None:
            return []
        pushes = [p.message for p in frame.batch.pushes]
        return [(m.client_id, m.seq) for m in pushes]
