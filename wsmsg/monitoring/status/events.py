"""
The stream of server-sent events, to every page that is open.

An event is encoded once for all pages.  A page that does not read gets no further
events until it has read what waits, and then the whole history; the listener cuts its
connection if that takes too long.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from twisted.internet.defer import Deferred

from wsmsg.errors import Unavailable
from wsmsg.http.routes import Sink

#: The most pages that are open at once.
MOST = 16
CONTENT_TYPE = "text/event-stream; charset=utf-8"

_RETRY_MS = 5000


def encoded(event: str, data: object) -> bytes:
    """
    Return an event as it is written.
    """
    # JSON escapes the ends of lines, so the data is one line.
    document = json.dumps(data, separators=(",", ":"), default=str)
    return f"event: {event}\ndata: {document}\n\n".encode()


class Viewer:
    """
    A page that is open.

    @ivar ended: fires when the daemon ends the stream.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._behind = False
        self.ended: Deferred[None] = Deferred()

    def write(self, data: bytes, all_of_it: Callable[[], bytes]) -> None:
        """
        Write events, unless the page does not read.

        @param all_of_it: returns what a page needs that missed some.
        """
        if self._sink.is_full:
            self._behind = True
            return
        if self._behind:
            self._behind, data = False, all_of_it()
        self._sink.write(data)

    def end(self) -> None:
        """
        End the stream.
        """
        if not self.ended.called:
            self.ended.callback(None)


class Viewers:
    """
    All pages that are open.

    @param first: returns what a page is sent at its start.
    @param changed: called when the first one comes, and when the last one leaves.
    """

    def __init__(
        self, first: Callable[[], bytes], changed: Callable[[], object]
    ) -> None:
        self._first = first
        self._changed = changed
        self._open: set[Viewer] = set()

    def __len__(self) -> int:
        return len(self._open)

    def check_room(self) -> None:
        """
        Check that one more page may open.

        @raise Unavailable: as many as may be are open.
        """
        if len(self._open) >= MOST:
            raise Unavailable(f"{MOST} status pages are open", _RETRY_MS)

    async def watch(self, sink: Sink) -> None:
        """
        Write the events to a page, until it leaves or L{end} is called.
        """
        viewer = Viewer(sink)
        self._open.add(viewer)
        self._changed()
        try:
            viewer.write(self._first(), self._first)
            await viewer.ended
        finally:
            self._open.discard(viewer)
            self._changed()

    def tell(self, event: str, data: object) -> None:
        """
        Write an event to all pages.
        """
        if self._open:
            written = encoded(event, data)
            for viewer in tuple(self._open):
                viewer.write(written, self._first)

    def end(self) -> None:
        """
        End all streams.
        """
        for viewer in tuple(self._open):
            viewer.end()
