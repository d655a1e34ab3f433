"""
Both directions of the protocol with the server, without any I/O.

The owner of the connection calls L{Exchange.receive} for each frame, writes the frames
of L{Exchange.due}, checks again at the time of L{Exchange.next_due}, and calls
L{Exchange.lost} when the connection is lost.  Times are seconds of one clock.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from math import inf
from typing import cast

from wsmsg import __version__
from wsmsg.client.state.cursors import CursorState, Receipts
from wsmsg.client.state.event_queue import EventQueue
from wsmsg.client.state.events import (
    Connected,
    Event,
    HistoryReplaced,
    HistoryRewound,
    PresenceChanged,
    SendAccepted,
    SendSettled,
    Stored,
    TypingReceived,
    received,
)
from wsmsg.client.state.inbound import Inbound, Start
from wsmsg.client.state.listing import NEWEST, Listing, ServerHistory
from wsmsg.client.state.outbound import Outbound
from wsmsg.client.state.positions import Saved
from wsmsg.client.state.queries import Answer, Answering, PendingQueries, Request
from wsmsg.client.state.tracing import FrameTracer
from wsmsg.client.state.unnumbered import Unnumbered
from wsmsg.errors import BadFrame, BadRequest, WsmsgError, from_code
from wsmsg.protocol import frames
from wsmsg.protocol.frames import ClientFrame, ServerFrame

#: Interval and most frames of progress reports.
_CURSOR_S = 0.1
_CURSORS = 10
_LAST_CURSORS = 100

#: Time limit for the C{resync} that follows a welcome without a list.
_UNSYNCED_S = 3.0

_log = logging.getLogger("wsmsg.client")


class Exchange:
    """
    The state between a program and the server, across connections.

    @param saved: of an earlier run.
    @param start: the point from which a conversation without a position is read.
    @param on_settled: called once for each send, with its client id and the result.
    @param on_answer: called once for each query, with its id and the answer.
    @ivar events: the queue of events for the program.
    @ivar tracer: finds the frame that the server cannot decode.
    @ivar history: of the server.
    @ivar connected: L{None}: there is no connection.
    """

    def __init__(
        self,
        *,
        device: str,
        saved: Saved,
        on_settled: Callable[[str, SendAccepted | WsmsgError], object],
        on_answer: Callable[[str, Answer], object],
        start: Start = "beginning",
        queued_messages: int = 1000,
        unsent: int = 10000,
    ) -> None:
        self.user = saved.user
        self.limits: frames.Limits | None = None
        self.events = EventQueue(queued_messages)
        self.outbound = Outbound(max(unsent, len(saved.unsent)), on_settled)
        self.inbound = Inbound(
            self._give,
            lambda: self.events.room,
            refill=max(1, queued_messages // 2),
            start=start,
            positions=saved.positions,
            listed=bool(saved.position),
        )
        self.unnumbered = Unnumbered(self._give, lambda: self.events.room)
        self._device = device
        self._cursors = CursorState({n: p.seq for n, p in saved.positions.items()})
        self._cursors_at = 0.0
        self._listing = Listing(saved.position)
        self.tracer = FrameTracer()
        self._queries = PendingQueries(on_answer)
        self._receipts = Receipts(self.events.put)
        self._typing: dict[str, None] = {}
        self._watched = frames.Watch()
        self._watch_due = False
        self.history = ServerHistory(saved.epoch, saved.witness, self.inbound)
        self.connected: Connected | None = None
        self.outbound.restore(saved.unsent)
        for client_id, reason in saved.invalid.items():
            self.events.put(SendSettled(client_id, None, BadRequest(reason)))

    @property
    def caught_up(self) -> bool:
        """
        L{True} if the client is connected and misses no message that it knows of.
        """
        if self.connected is None:
            return False
        return self.inbound.settled or not self.numbers

    @property
    def numbers(self) -> bool:
        """
        L{True} if the server numbers messages, so that the client can ask for them.
        """
        return self.limits is None or not self.limits.unnumbered

    @property
    def position(self) -> str:
        return self._listing.position

    def hello(self) -> frames.Hello:
        """
        Return the first frame of a connection.
        """
        return frames.Hello(
            device=self._device,
            position=self.position,
            client=f"wsmsg-python/{__version__}",
            witness=self.history.witness,
        )

    def send(self, frame: frames.Submission) -> None:
        """
        Add a message to send; raises as L{Outbound.add} does.
        """
        self.outbound.add(frame)

    def ask(self, request: Request, now: float) -> None:
        """
        Add a query; its id must not begin with C{i}, C{l} or C{n}, which the exchange
        uses itself.
        """
        self._queries.add(request, now)

    def forget(self, request_id: str) -> None:
        """
        Forget a query whose answer is not needed any more.
        """
        self._queries.forget(request_id)

    def took(self, event: Event) -> None:
        """
        Record that the program has processed an event.
        """
        if isinstance(event, Stored) and event.seq:
            self.inbound.took(event.conversation, event.seq, event.message_id)
            self._cursors.delivered(event.conversation, event.seq)

    def mark_read(self, conversation: str, seq: int, message_id: int) -> None:
        """
        Record that the user has read all up to this number, or, if it is 0, this
        message.
        """
        if seq:
            self._cursors.read(conversation, seq)
        elif message_id:
            self.unnumbered.read(conversation, message_id)

    def typing(self, conversation: str) -> None:
        """
        Report that the user is typing, if the client is connected.
        """
        if self.connected:
            self._typing[conversation] = None

    def watch(self, watched: frames.Watch) -> None:
        """
        Subscribe to the presence of these users, in place of earlier ones.
        """
        self._watched = watched
        self._watch_due = True

    def lost(self) -> None:
        """
        Record that the connection is lost.
        """
        self.connected = None
        self.outbound.lost()
        self.inbound.lost()
        self._cursors.lost()
        self.unnumbered.lost()
        self._listing.lost()
        self.history.lost()
        self.tracer.lost()
        self._typing.clear()
        self._queries.repeat()

    def last_words(self) -> list[ClientFrame]:
        """
        Return the frames to write before the connection is closed.
        """
        return [*self._progress.due(_LAST_CURSORS, inf)] if self.connected else []

    def due(self, now: float) -> list[ClientFrame]:
        """
        Return the frames to write now.
        """
        if not self.connected:
            return []
        out: list[ClientFrame] = []
        if self._watch_due:
            self._watch_due = False
            out.append(self._watched)
        if self.numbers:
            out += self._listing.due(now)
            out += self.inbound.due(now)
            out += self.history.due(now)
        out += self._queries.due(now)
        # Each submission is one of the client frames.
        out += cast("list[ClientFrame]", self.outbound.due(now))
        out += [frames.Typing(conversation) for conversation in self._typing]
        self._typing.clear()
        if now >= self._progress.next_report(self._cursors_at):
            self._cursors_at = now + _CURSOR_S
            out += self._progress.due(_CURSORS, now)
        return self.tracer.traced(out)

    @property
    def _progress(self) -> CursorState | Unnumbered:
        return self._cursors if self.numbers else self.unnumbered

    def next_due(self, now: float) -> float | None:
        """
        Return the time at which L{due} will return more if nothing happens until then.
        """
        if not self.connected:
            return None
        times = [
            self.history.next_due(now) if self.numbers else None,
            self._listing.next_due() if self.numbers else None,
            self.inbound.next_due(now) if self.numbers else None,
            self.outbound.next_due(now),
            at if (at := self._progress.next_report(self._cursors_at)) < inf else None,
            self._queries.next_due(),
        ]
        return min((t for t in times if t is not None), default=None)

    def receive(self, frame: ServerFrame, now: float) -> None:
        """
        Process a frame, except those that are for the owner of the connection.
        """
        match frame:
            case frames.Deliver():
                self._delivered(frame, now)
            case frames.Accepted(client_id, time, conversation):
                self.outbound.accepted(client_id, time, conversation)
            case frames.Rejected():
                self.outbound.rejected(frame, now)
            case frames.Page():
                self._page(frame, now)
            case frames.Heads() if self._listing.is_open(frame.id):
                self._heads(frame, now)
            case _ if isinstance(frame, Answering):
                self._queries.answered(frame.id, frame)
            case frames.Receipt():
                self._receipts.received(frame, self.user)
            case frames.Presence(user, online, last_seen):
                self.events.put(PresenceChanged(user, online, last_seen))
            case frames.Typing(conversation, user):
                self.events.put(TypingReceived(conversation, user))
            case frames.Resync(reason):
                _log.info("the server asks the client to sync: %s", reason)
                if self.numbers:
                    self.inbound.outdate()
                    self.inbound.suspect_newest()
                    self._listing.begin(now)
            case frames.Error():
                self._error(frame, now)
            case frames.Welcome():
                self._welcomed(frame, now)
            case frames.Pong():
                self.tracer.answered(frame.nonce)
                self.history.ponged(frame, now)
            case frames.Goaway():
                self._listing.reached(frame.position)
            case frames.TokenExpiring() | frames.Refreshed():
                pass

    def _welcomed(self, frame: frames.Welcome, now: float) -> None:
        self.connected = Connected(frame.user, frame.session)
        self.user = frame.user
        self.limits = frame.limits
        self._watch_due = self._watched != frames.Watch()
        self.outbound.welcomed(frame.limits, now)
        self.events.put(self.connected)
        if not self.numbers:
            return
        self.history.welcomed(now)
        if self.history.is_replaced(frame.epoch):
            self._begin_anew(HistoryReplaced(frame.epoch), now)
        self.history.note(frame.epoch)
        if frame.synced:
            self._listed(frame, now)
        else:
            self._listing.begin(now + _UNSYNCED_S)

    def _heads(self, frame: frames.Heads, now: float) -> None:
        if self.history.is_replaced(frame.epoch):
            self._begin_anew(HistoryReplaced(frame.epoch), now)
        self._listed(frame, now)

    def _delivered(self, frame: frames.Deliver, now: float) -> None:
        if self.numbers:
            self.history.heard(now)
            self._cursors.pace(frame, now)
            self.inbound.delivered(frame)
        elif not frame.seq:
            self.unnumbered.delivered(frame)

    def _page(self, frame: frames.Page, now: float) -> None:
        if self.history.is_replaced(frame.epoch):
            self._begin_anew(HistoryReplaced(frame.epoch), now)
        elif self.history.is_rewound_in(frame):
            name = frame.conversation
            self._begin_anew(HistoryRewound(frame.epoch, name), now)
        elif self.inbound.page(frame, now):
            self.history.heard(now)
        else:
            self._queries.answered(frame.id, frame)

    def _begin_anew(self, event: HistoryReplaced, now: float) -> None:
        _log.warning("the server has another history: the client syncs anew: %r", event)
        self.history.begin_anew(event.epoch)
        self._listing.restart(now)
        self.inbound.begin_anew()
        self._cursors.begin_anew()
        self._receipts.begin_anew()
        self.outbound.send_again()
        self.events.put(event)

    def _listed(self, page: frames.Welcome | frames.Heads, now: float) -> None:
        complete = self._listing.page(page, now)
        self.inbound.merge(page.heads, complete=complete)
        for head in page.heads:
            self._cursors.apply_head(head)
            for receipt in head.others:
                self._receipts.received(receipt, self.user)

    def refused(self, frame: ClientFrame, error: WsmsgError, now: float) -> None:
        """
        Process a frame that cannot be sent, or that the server cannot decode: what
        waits for its answer fails.
        """
        match frame:
            case frames.Submission():
                self.outbound.refused(frame.client_id, error)
            case _ if isinstance(frame, Request):
                self._error(frames.Error(error.code, error.reason, frame.id), now)
            case _:
                _log.warning("a frame is not sent: %s", error.reason)

    def _bad_frame(self, frame: frames.Error, now: float) -> None:
        _log.warning("the server cannot decode a frame: %s", frame.reason)
        if not self.tracer.active:
            # The cause may be any frame without an answer: repeat them, traced.
            self.tracer.begin()
            self.outbound.lost()
            self._queries.repeat()
        elif (cause := self.tracer.cause()) is not None:
            self.refused(cause, from_code(frame.code, frame.reason), now)

    def _error(self, frame: frames.Error, now: float) -> None:
        if frame.code == BadFrame.code and not frame.id:
            self._bad_frame(frame, now)
            return
        error = from_code(frame.code, frame.reason, frame.retry_after_ms)
        wait_s = frame.retry_after_ms / 1000
        retry_at = now + (wait_s or 1.0) if error.retry else None
        if self._listing.is_open(frame.id):
            self._listing.refused(now, wait_s)
        elif frame.id == NEWEST:
            self.history.refused(retry_at)
        elif self.inbound.refused(frame.id, retry_at):
            _log.warning("a sync was refused: %s: %s", frame.code, frame.reason)
        elif not self._queries.refused(frame.id, error, now):
            _log.warning("the server reports %s: %s", frame.code, frame.reason)
            self.outbound.rejected(
                frames.Rejected(frame.id, frame.code, frame.reason), now
            )

    def _give(self, frame: frames.Deliver) -> None:
        self.events.put(received(frame, self.user))
