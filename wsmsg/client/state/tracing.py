"""
The frame to which a C{bad_frame} of the server refers.

That error names no frame, because the server could not decode one.  But the server
answers pings, and frames that it cannot decode, in the order in which it reads.  So
after the first such error the client repeats what has no answer, and follows each frame
with a ping: the next error refers to the first frame whose ping is unanswered::

    -> ping t1, send a, ping t2, send b, ping t3
    <- pong t1, error bad_frame ...             send a is the cause

Tracing ends when all these pings are answered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from wsmsg.protocol.frames import ClientFrame, Ping

#: Most frames that are traced at once; a server that answers none ends the tracing.
_FRAMES = 10_000


class FrameTracer:
    """
    The frames that the server may not have decoded yet.

    @ivar active: frames are followed by pings.
    """

    def __init__(self) -> None:
        self.active = False
        self._unanswered: deque[tuple[str, ClientFrame | None]] = deque()
        self._first: list[ClientFrame] = []
        self._made = 0

    def begin(self) -> None:
        """
        Trace the frames from now on.
        """
        self.active = True
        # Errors that arrive before its answer refer to earlier frames.
        self._first = [self._ping_after(None)]

    def traced(self, frames: list[ClientFrame]) -> list[ClientFrame]:
        """
        Return the frames to write in place of these.
        """
        if not self.active:
            return frames
        if len(self._unanswered) > _FRAMES:
            self.active = False
            self.lost()
            return frames
        first, self._first = self._first, []
        return [*first, *self._with_pings(frames)]

    def answered(self, nonce: str) -> None:
        """
        Process a C{pong}: the server has decoded the frames before its ping.
        """
        if all(nonce != known for known, _ in self._unanswered):
            return
        while self._unanswered.popleft()[0] != nonce:
            pass
        self.active = bool(self._unanswered)

    def cause(self) -> ClientFrame | None:
        """
        Return the frame to which an error refers that arrives now; L{None}: a frame
        that is not traced.
        """
        if not self._unanswered:
            return None
        nonce, frame = self._unanswered[0]
        self._unanswered[0] = nonce, None
        return frame

    def lost(self) -> None:
        """
        Forget the frames of a lost connection; the next one continues to trace.
        """
        self._unanswered.clear()
        self._first = []

    def _with_pings(self, frames: Iterable[ClientFrame]) -> Iterable[ClientFrame]:
        for frame in frames:
            yield frame
            yield self._ping_after(frame)

    def _ping_after(self, frame: ClientFrame | None) -> Ping:
        self._made += 1
        nonce = f"t{self._made}"
        self._unanswered.append((nonce, frame))
        return Ping(nonce)
