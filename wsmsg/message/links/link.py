"""
Message's end of the stream to one incarnation of a Connect.

Each frame with pushes has a number, and Connect acknowledges these numbers
cumulatively.  The link keeps unacknowledged frames, within a bound, and sends their
pushes and receipts again when the same incarnation of Connect resumes on a new stream.

Over the bound the link I{breaks}: it drops everything, all of which counts as settled.
When Connect subscribes again, Message answers C{resumed=false}, and Connect makes its
sessions sync.  So no push is lost silently.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from wsmsg.message.links.interface import Push, PushTimings, Settled
from wsmsg.message.links.output import (
    MOST_RESULTS,
    MomentaryOutput,
    UnacknowledgedPushes,
)
from wsmsg.message.links.snapshot import UserSnapshot
from wsmsg.model import Cursor
from wsmsg.rpc import rest_pb2
from wsmsg.text.counted import counted

Response = rest_pb2.MessageStreamResponse


class Link:
    """
    The frames that wait for one incarnation of a Connect, and the unacknowledged ones.

    @param limit_records: the most pushes, and the most receipts, that Connect has not
        acknowledged.
    @param limit_bytes: the most bytes of these.
    @param seconds: returns the time of the monotonic clock.
    @param timings: counts the durations of pushes.
    @param on_cut: called once, if Connect does not keep up and the link breaks.
    @ivar broken: the reason why nothing can be resumed any more; empty while the link
        works.
    @ivar primary: whether this Message writes the presence of the users of Connect.
    @ivar is_synced: whether the current stream has sent all users of Connect.
    @ivar everything: whether the peer is another Message, which receives every push.
    @ivar peer_stream: the number of the current stream at Connect; 0: none given.
    @ivar stream: the number of the current stream; one that no stream has while there
        is none.
    @ivar snapshot: the unfinished list of the users of Connect.
    @ivar load: how much Connect carries; L{None}: it has not told.
    @ivar last_login: the highest number of a login that Connect knows; 0: it numbers
        none.
    """

    def __init__(
        self,
        node: str,
        incarnation: str,
        *,
        limit_records: int,
        limit_bytes: int,
        seconds: Callable[[], float],
        on_cut: Callable[[Link], object],
        timings: PushTimings,
    ) -> None:
        self.node = node
        self.incarnation = incarnation
        self.primary = self.is_synced = self.everything = False
        self.peer_stream = 0
        self.broken = ""
        self.load: rest_pb2.ConnectLoad | None = None
        self.snapshot = UserSnapshot()
        self.last_login = 0
        self._limit_records = limit_records
        self._limit_bytes = limit_bytes
        self._wake: Callable[[], object] | None = None
        self._hang_up: Callable[[str], object] | None = None
        self._seconds = seconds
        self._on_cut = on_cut
        self._opened_s = 0.0
        self._pushes = UnacknowledgedPushes(seconds, timings)
        self._momentary = MomentaryOutput()
        self.stream = 0

    def status(self, now_s: float) -> dict[str, object]:
        """
        Return the entry of this link in C{/status}.
        """
        return {
            "node": self.node,
            "open": self.open,
            "primary": self.primary,
            "everything": self.everything,
            "unacknowledged": self.held,
            "oldest_s": round(self.age_s(now_s), 3),
            **({"page": self.status_page} if self.status_page else {}),
        }

    # -- the stream

    @property
    def open(self) -> bool:
        """
        True while the link has a stream.
        """
        return self._wake is not None

    def resumable(self, resume_from: int) -> bool:
        """
        Return whether the unacknowledged frames are all that a Connect misses that
        has received frame C{resume_from}.
        """
        return not self.broken and self._pushes.resumable(resume_from)

    def resume(self, resume_from: int) -> None:
        """
        Replay all frames after this one before anything new.  A replayed frame carries
        its pushes and receipts, which stay true; what else it carried is of its time.
        """
        self.primary = False  # Connect names its primary again
        self.acknowledged(resume_from)
        self._pushes.resume()

    def subscribed(self, hello: rest_pb2.SubscribeRequest) -> None:
        """
        Note which stream of Connect comes next, and what it is to receive.
        """
        self.everything = hello.everything
        self.peer_stream = hello.stream

    def opened(
        self, wake: Callable[[], object], hang_up: Callable[[str], object]
    ) -> int:
        """
        Use a new stream.

        @param wake: called when L{next_frame} has a frame.
        @param hang_up: ends the stream; called with the reason.
        @return: the number of the stream, for L{results} and
            L{wsmsg.message.links.links.Links.lost}.
        """
        self._wake, self._hang_up = wake, hang_up
        self.stream += 1
        self._opened_s = self._seconds()
        wake()
        return self.stream

    def lost(self) -> None:
        """
        Drop what is useless now that the stream is gone: typing, presence, and answers,
        as Connect repeats unanswered sends.
        """
        self._wake = self._hang_up = None
        self.stream += 1
        self._momentary.stream_lost()
        self.snapshot.discard()
        self.is_synced = False

    def synced(self) -> None:
        """
        Note that the stream has sent all users of Connect.
        """
        self.is_synced = True

    def set_primary(self, primary: bool) -> None:
        """
        Note whether this Message writes the presence of the users of Connect.
        """
        self.primary = primary

    def hang_up(self, reason: str) -> None:
        """
        End the stream, if the link has one.
        """
        if self._hang_up is not None:
            self._hang_up(reason)

    # -- what goes in

    @property
    def held(self) -> int:
        """
        The number of pushes that are not acknowledged, sent or not.
        """
        return self._pushes.held

    def age_s(self, now_s: float) -> float:
        """
        Return for how long the oldest push or receipt has not been acknowledged: at
        most since the stream opened, if there is one.
        """
        oldest_s = self._pushes.oldest_s
        if oldest_s is None:
            return 0.0
        return now_s - (max(oldest_s, self._opened_s) if self.open else oldest_s)

    def push(self, pushes: Sequence[Push], settled: Settled) -> None:
        """
        Queue messages with the users of this Connect who receive them.

        @param settled: called once, when all of them are settled.
        """
        if self.broken:
            settled()
            return
        self._pushes.push(pushes, settled)
        self._check_limits()

    def receipt(self, cursor: Cursor, targets: Sequence[int]) -> None:
        """
        Queue a cursor.  It replaces one of the same user and conversation.
        """
        if self.broken:
            return
        self._pushes.receipt(cursor, targets)
        self._check_limits()

    def results(self, stream: int, results: Sequence[rest_pb2.SendResult]) -> None:
        """
        Queue answers to the sends of a stream.  They are dropped if the link has
        another stream by now, where the ids mean other sends.
        """
        if not self.open or stream != self.stream:
            return
        if self._momentary.results(results):
            self._wake_stream()
        else:  # Connect writes but does not read
            self.hang_up(f"over {MOST_RESULTS} answers to sends not taken")

    def typing(self, typing: rest_pb2.Typing, targets: Sequence[int]) -> None:
        """
        Queue typing; drop it if too much of it waits already.
        """
        if self.open:
            self._momentary.typing(typing, targets)
            self._wake_stream()

    def presence(self, presence: rest_pb2.Presence) -> None:
        """
        Queue the presence of a watched user.  It replaces an older one.
        """
        if self.open:
            self._momentary.presence(presence)
            self._wake_stream()

    def blocked(self, block: rest_pb2.Block) -> None:
        """
        Queue a block of a watched user.  Without a stream, it waits for the next one.
        """
        if not self.broken:
            self._momentary.blocked(block)
            self._wake_stream()

    @property
    def status_page(self) -> str:
        """
        The URL of Connect's status page; empty: not known.
        """
        return self.load.status_page if self.load else ""

    def loaded(self, load: rest_pb2.ConnectLoad) -> None:
        """
        Note how much Connect carries.
        """
        self.load = rest_pb2.ConnectLoad(node=self.node)
        self.load.MergeFrom(load)

    def ask_life(self, query: rest_pb2.LifeQuery) -> None:
        """
        Queue a question for what Connect remembers of a message.
        """
        if self.open:
            self._momentary.ask_life(query)
            self._wake_stream()

    def logged_in(self, number: int) -> None:
        """
        Note the highest number of a login that Connect knows.
        """
        self.last_login = max(self.last_login, number)

    def kick(self, kick: rest_pb2.Kick) -> None:
        """
        Queue the end of sessions.  Without a stream, the kick waits for the next one.
        """
        self._momentary.kick(kick)
        self._wake_stream()

    def listed(self, addresses: Sequence[str]) -> None:
        """
        Queue the list of all Messages.
        """
        if self.open:
            self._momentary.listed(addresses)
            self._wake_stream()

    def whole(self, connects: int) -> None:
        """
        Queue the number of Connects that reach all Messages.
        """
        self._momentary.whole(connects)
        self._wake_stream()

    def revoke(self, revoked: Mapping[int, int]) -> None:
        """
        Queue times before which tokens of users are revoked.  The welcome of a stream
        has all of them.
        """
        if self.open:
            self._momentary.revoke(revoked)
            self._wake_stream()

    def presence_applied(self, number: int, last_login: int) -> None:
        """
        Queue the confirmation that presence is applied up to this delta.

        @param last_login: above the number of each login that was known before.
        """
        self._momentary.presence_applied(number, last_login)
        self._wake_stream()

    # -- what goes out

    def next_frame(self) -> Response | None:
        """
        Return the next frame to write; L{None}: there is none.
        """
        pushes, momentary = self._pushes, self._momentary
        if pushes.replay:
            return pushes.next_replayed()
        if not (pushes.new or pushes.new_receipts or momentary.has_output):
            return None
        frame = Response()
        pushes.move_into(frame)
        if momentary.has_output:
            momentary.move_into(frame.batch)
        return frame

    def acknowledged(self, number: int) -> None:
        """
        Settle all frames up to this one: Connect has put them into the outboxes of its
        sessions.
        """
        last = self._pushes.number
        if number > last:
            # The earlier acknowledgements of this Connect are not reliable either.
            self.break_off(f"batch {number} was acknowledged, and {last} is the last")
            return
        self._pushes.acknowledged(number)

    def cut(self, reason: str) -> None:
        """
        Break the link of a Connect that does not keep up.
        """
        if not self.broken:
            self.break_off(reason)
            self._on_cut(self)

    def break_off(self, reason: str) -> None:
        """
        Drop everything, and end the stream.  All pushes count as settled, and nothing
        can be resumed.
        """
        self.broken = reason
        self._pushes.drop()
        self.hang_up(reason)

    def _check_limits(self) -> None:
        pushes, limit = self._pushes, self._limit_records
        if (
            pushes.held > limit
            or pushes.receipts > limit
            or pushes.n_bytes > self._limit_bytes
        ):
            self.cut(
                f"{counted(pushes.held, 'push', 'pushes')} and "
                f"{counted(pushes.receipts, 'receipt')} ({pushes.n_bytes} bytes) not "
                "acknowledged"
            )
        else:
            self._wake_stream()

    def _wake_stream(self) -> None:
        if self._wake is not None:
            self._wake()
