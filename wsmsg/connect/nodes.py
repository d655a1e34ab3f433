"""
The other nodes, as this Connect knows them: the Messages by their streams, the other
Connects by what a Message tells of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from wsmsg.dependency.state import Dependency, Snapshot, State
from wsmsg.errors import WsmsgError
from wsmsg.monitoring.nodes import KnownNodes, PeerNode
from wsmsg.monitoring.words import shown_time
from wsmsg.text.counted import counted

#: Seconds between two questions for the other Connects.
LOOK_S = 5.0
_GONE = {"connect": "no Message that was asked has a stream of it"}


class MessageStream(Protocol):
    """
    A stream to a Message.

    @ivar name: C{host:port} of the Message.
    """

    name: str

    @property
    def status_page(self) -> str:
        """
        The URL of the Message's status page; empty: not known.
        """


class Streams(Protocol):
    """
    The streams to the Messages, and the Messages without one.
    """

    @property
    def up(self) -> bool: ...

    @property
    def streams(self) -> Sequence[MessageStream]: ...

    def dependencies(self) -> Sequence[Dependency]: ...


class Other(Protocol):
    """
    Another Connect, as a Message tells of it.
    """

    @property
    def node(self) -> str: ...

    @property
    def sessions(self) -> int: ...

    @property
    def accepting(self) -> bool: ...

    @property
    def status_page(self) -> str: ...


class OtherNodes:
    """
    The nodes for C{/status}.

    @param read: asks a Message for the other Connects.
    @param usual: the kind of Message of which nothing has to be said.
    """

    _log = Logger()

    def __init__(
        self,
        upstream: Streams,
        read: Callable[[], Coroutine[Any, Any, Sequence[Other]]],
        clock: IReactorTime,
        usual: str,
    ) -> None:
        self._upstream = upstream
        self._read = read
        self._clock = clock
        self._usual = usual
        self._connects = KnownNodes(clock.seconds, time.time, _GONE)
        self._next_s = 0.0

    def look(self) -> None:
        """
        Ask for the other Connects, if it is time; called several times a second.
        """
        now_s = self._clock.seconds()
        if now_s < self._next_s or not self._upstream.up:
            return
        self._next_s = now_s + LOOK_S
        asked = Deferred.fromCoroutine(self._read())
        asked.addCallbacks(self._told, self._failed)

    def document(self) -> Sequence[Mapping[str, object]]:
        """
        Return the nodes, the Messages first.
        """
        pages = {stream.name: stream.status_page for stream in self._upstream.streams}
        found: list[Mapping[str, object]] = []
        for dependency in self._upstream.dependencies():
            snapshot = dependency.snapshot()
            name = snapshot.name.removeprefix("message ")
            node = PeerNode(
                name,
                "message",
                snapshot.state is State.UP,
                self._about(snapshot),
                pages.get(name, ""),
            )
            found.append(node.document(shown_time(snapshot.since_s)))
        return [*found, *self._connects.document()]

    def _told(self, others: Sequence[Other]) -> None:
        self._connects.look(
            PeerNode(
                other.node,
                "connect",
                True,
                counted(other.sessions, "session")
                + ("" if other.accepting else ", takes no new clients"),
                other.status_page,
            )
            for other in others
        )

    def _failed(self, failure: Failure) -> None:
        # What was told last is kept; a Message of an earlier version does not tell.
        if failure.check(WsmsgError) is None:
            self._log.failure("the other Connects are not known", failure)

    def _about(self, snapshot: Snapshot) -> str:
        """
        Return what is known of the Message behind a dependency.
        """
        if snapshot.state is State.UP:
            kind = "" if snapshot.about == self._usual else f", {snapshot.about}"
            return f"has a stream to this node{kind}"
        return snapshot.last_error
