"""
The choice of streams: which one leads, which take new conversations, which are queried.

The Message of the stream that leads is the primary: it writes the presence of this
node's users for readers outside.  The stream also carries what any one stream may
carry: cursors and typing signals.

Every Message must be reached by a stream; L{ReachWatch} says which are not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

from twisted.logger import Logger

from wsmsg.connect.upstream.context import Stream, UpstreamContext
from wsmsg.connect.upstream.pending_sends import PendingSends
from wsmsg.connect.upstream.reads import Query
from wsmsg.dependency.alarms import Alarms


class PrimaryChoice:
    """
    The stream that leads.

    It keeps the lead for as long as it is fit to, so that the primary moves only when
    it must, and then at once: the lease on the users of this node is short.

    @param node: the name of this Connect; different nodes choose differently.
    @ivar stream: L{None} while no stream is up.
    """

    _log = Logger()

    def __init__(self, node: str) -> None:
        self.stream: Stream | None = None
        self._node = node

    def review(self, up: Sequence[Stream], fit: Sequence[Stream]) -> None:
        """
        Give the lead to the best stream, unless the one that has it is fit.

        @param up: all streams that are up.
        @param fit: those of them that are neither silent nor about to be closed.
        """
        before = self.stream
        if before not in up:
            before = None
        if before is not None and (before in fit or not fit):
            return
        self.stream = min(fit or up, key=self._rank, default=None)
        if before is not None:
            before.lead(False)
        if self.stream is not None and not self.stream.unnumbered:
            self._log.info("{message} is the primary", message=self.stream.name)
            self.stream.lead(True)

    def _rank(self, stream: Stream) -> tuple[bool, bytes]:
        # Prefers a stream whose Message knows the users of this node.
        name = f"{self._node} {stream.name}".encode()
        return not stream.is_synced, hashlib.blake2b(name).digest()


class StreamChoice:
    """
    The streams that are up, and what each of them is used for.

    @param is_leaving: returns whether the Message of a stream is about to be left.
    @ivar up: the streams, in the order in which they came up.
    """

    def __init__(
        self, node: str, sends: PendingSends, is_leaving: Callable[[Stream], bool]
    ) -> None:
        self.up: list[Stream] = []
        self._sends = sends
        self._is_leaving = is_leaving
        self._primary = PrimaryChoice(node)
        self._turn = 0

    @property
    def lead(self) -> Stream | None:
        return self._primary.stream

    def added(self, stream: Stream) -> None:
        self.up.append(stream)

    def removed(self, stream: Stream) -> None:
        if stream in self.up:
            self.up.remove(stream)

    def review(self, now_s: float) -> None:
        """
        Review the lead and the routes after a change, and a few times a second.
        """
        fit = [
            stream
            for stream in self.up
            if not self._is_leaving(stream) and not stream.is_silent(now_s)
        ]
        self._primary.review(self.up, fit)
        self._assign_streams(now_s)

    def _assign_streams(self, now_s: float) -> None:
        """
        Use the streams that stay for new conversations; if there are none, all.
        """
        leaving = [s for s in self.up if self._is_leaving(s)]
        for stream in self.up:
            used = stream in self._sends.streams
            wanted = stream not in leaving or len(leaving) == len(self.up)
            if used and not wanted:
                self._sends.stop_using(stream)
            elif wanted and not used:
                self._sends.stream_up(stream, now_s)

    def query_methods(self) -> Sequence[Query]:
        """
        Return the query methods of the streams, each time another one first.
        """
        up = self.up
        if len(up) > 1:
            self._turn = (self._turn + 1) % len(up)
            up = up[self._turn :] + up[: self._turn]
        return [stream.query for stream in up if not stream.unnumbered]


class ReachWatch:
    """
    Says which Messages no direct stream reaches: in an alarm, to the Messages that are
    reached, and after a while to the clients.
    """

    def __init__(self, shared: UpstreamContext, alarms: Alarms) -> None:
        self._reach = shared.reach
        self._edge = shared.edge
        self._alarms = alarms
        self._unreached: tuple[str, ...] = ()

    def stream_up(self, stream: Stream) -> None:
        """
        Tell the Message of a stream what it does not know yet.
        """
        if self._unreached:
            stream.unreached(self._unreached)

    def look(
        self, up: Sequence[Stream], indirect: Iterable[str], partial_s: float
    ) -> None:
        """
        Look for changes; called several times a second.

        @param up: all streams that are up.
        @param indirect: the addresses that no direct stream reaches.
        @param partial_s: the time after which clients are asked to move.
        """
        unreached = self._reach.look(indirect)
        if unreached != self._unreached:
            self._unreached = unreached
            for stream in up:
                stream.unreached(unreached)
            self._alarms.set("unreachable_message", _unreachable(unreached))
        if self._reach.should_move(bool(unreached), partial_s):
            self._edge.reconnect_all("this node does not reach all of the server")


def _unreachable(addresses: Sequence[str]) -> str:
    if not addresses:
        return ""
    return f"no direct stream reaches the Message at {', '.join(addresses)}"
