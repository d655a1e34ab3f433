"""
Any history of a server whose store is replaced by older copies without a word, and any
course of the connections to it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.client.state.events import MessageReceived
from wsmsg.client.state.exchange import Exchange
from wsmsg.client.state.positions import Saved
from wsmsg.protocol import frames
from wsmsg.protocol.frames import ClientFrame, Deliver, Head, ServerFrame

_NAMES = ("u:1:2", "u:1:3")
_LIMITS = frames.Limits(100, 1000, 3, 0, 100, 500)
_PAGE = 3


class Store:
    """
    The store of a server, and older copies of it.

    @ivar told: the messages that were stored, by conversation.
    """

    def __init__(self) -> None:
        self.stored: dict[str, list[Deliver]] = {name: [] for name in _NAMES}
        self._made = 1000

    def add(self, name: str) -> Deliver:
        """
        Store a message.
        """
        self._made += 1
        seq = len(self.stored[name]) + 1
        message = Deliver(name, seq, self._made, 2, f"m{self._made}", 1, seq)
        self.stored[name].append(message)
        return message

    def restore(self, name: str, count: int) -> None:
        """
        Keep so many messages of a conversation.
        """
        del self.stored[name][count:]

    def page(self, sync: frames.Sync) -> frames.Page:
        """
        Answer a sync.
        """
        there = self.stored[sync.conversation]
        some = there[max(sync.after, 0) :][: min(sync.limit or _PAGE, _PAGE)]
        more = bool(some) and some[-1].seq < len(there)
        name, head = sync.conversation, len(there)
        return frames.Page(sync.id, name, tuple(some), head, more, "e1")

    def heads(self) -> tuple[Head, ...]:
        """
        Return the list of conversations.
        """
        return tuple(
            Head(name, len(there), message_id=there[-1].message_id)
            for name, there in self.stored.items()
            if there
        )


class Course:
    """
    A client, and what is on its way between it and the server.

    @ivar shown: the ids of the messages that the program was given, in order.
    """

    def __init__(self) -> None:
        self.store = Store()
        self.shown: dict[str, list[int]] = {name: [] for name in _NAMES}
        self.now = 0.0
        self._answers: list[Callable[[], ServerFrame]] = []
        self._pushes: list[Deliver] = []
        self._begin(Saved())

    def _begin(self, saved: Saved) -> None:
        self.exchange = Exchange(
            device="d",
            saved=saved,
            on_settled=lambda *_: None,
            on_answer=lambda *_: None,
        )

    def turn(self) -> None:
        """
        Have the program take all events, and write what is due.
        """
        self.now += 0.1
        while (event := self.exchange.events.take()) is not None:
            if isinstance(event, MessageReceived):
                self.shown[event.conversation].append(event.message_id)
            self.exchange.took(event)
        for frame in self.exchange.due(self.now):
            self._written(frame)

    def _written(self, frame: ClientFrame) -> None:
        match frame:
            case frames.Sync():
                self._answers.append(lambda: self.store.page(frame))
            case frames.Conversations():
                self._answers.append(
                    lambda: frames.Heads(frame.id, self.store.heads(), False, "p", "e1")
                )

    def connect(self, *, listed: bool) -> None:
        """
        Open a connection.

        @param listed: the welcome has the list.
        """
        self.exchange.receive(
            frames.Welcome(
                1,
                "s",
                1.0,
                _LIMITS,
                0,
                self.store.heads() if listed else (),
                synced=listed,
                position="p" if listed else "",
                epoch="e1",
            ),
            self.now,
        )
        self.turn()

    def lose(self) -> None:
        """
        Lose the connection, and what is on its way.
        """
        self.exchange.lost()
        self._answers.clear()
        self._pushes.clear()

    def restart(self) -> None:
        """
        End the program, and begin again with what is saved.
        """
        self.lose()
        it = self.exchange
        positions = it.inbound.positions()
        self._begin(Saved(1, it.position, it.history.epoch, positions))

    def say(self, name: str, *, pushed: bool) -> None:
        """
        Store a message, and push it if there is a connection.
        """
        message = self.store.add(name)
        if pushed and self.exchange.connected:
            self._pushes.append(message)

    def push(self) -> None:
        """
        Have the oldest push arrive.
        """
        if self._pushes:
            self.exchange.receive(self._pushes.pop(0), self.now)
            self.turn()

    def answer(self, *, refused: bool = False) -> None:
        """
        Have the oldest request answered, or refused for a moment.
        """
        if not self._answers:
            return
        frame = self._answers.pop(0)()
        if refused and isinstance(frame, frames.Page | frames.Heads):
            frame = frames.Error("unavailable", "r", frame.id)
        self.exchange.receive(frame, self.now)
        self.turn()

    def settle(self) -> None:
        """
        Connect once more, and have all answered.
        """
        self.lose()
        self.connect(listed=True)
        for _ in range(200):
            self.now += 1
            self.turn()
            while self._answers:
                self.answer()


_STEPS = (
    ("live", 8),
    ("say", 2),
    ("missed", 1),
    ("push", 2),
    ("answer", 4),
    ("refuse", 4),
    ("restore", 2),
    ("lose", 1),
    ("restart", 1),
    ("wait", 1),
)
_STEP = st.sampled_from([step for step, weight in _STEPS for _ in range(weight)])


class AnyHistoryTests(SynchronousTestCase):
    """
    Clients miss nothing, whatever becomes of the store.
    """

    def setUp(self) -> None:
        logging.disable()
        self.addCleanup(logging.disable, logging.NOTSET)

    @settings(max_examples=150, deadline=None)
    @given(st.data())
    def test_nothing_is_missed(self, data: st.DataObject) -> None:
        """
        The program was given every message that the server has, once and in order,
        however often the store was replaced by an older copy, and pushes, lists and
        pages met.
        """
        it = Course()
        it.connect(listed=True)
        for step in data.draw(st.lists(_STEP, min_size=10, max_size=60)):
            self.take(it, step, data)
        it.settle()
        for name, there in it.store.stored.items():
            ids, shown = [m.message_id for m in there], it.shown[name]
            self.assertEqual([i for i in shown if i in ids], ids)
            self.assertEqual(len(set(shown)), len(shown))

    def take(self, it: Course, step: str, data: st.DataObject) -> None:
        """
        Have one thing happen.
        """
        name = data.draw(st.sampled_from(_NAMES))
        match step:
            case "live":
                it.say(name, pushed=True)
                it.push()
            case "say":
                it.say(name, pushed=True)
            case "missed":
                # Where pushes are lost, the server says so.
                it.say(name, pushed=False)
                it.lose()
            case "push":
                it.push()
            case "answer" | "refuse":
                it.answer(refused=step == "refuse")
            case "restore":
                # Both daemons stop.
                it.lose()
                for one in _NAMES:
                    count = data.draw(st.integers(0, len(it.store.stored[one])))
                    it.store.restore(one, count)
                for _ in range(data.draw(st.integers(0, 6))):
                    it.say(data.draw(st.sampled_from(_NAMES)), pushed=False)
            case "restart":
                it.restart()
            case "wait":
                it.now += 4
                it.turn()
        if not it.exchange.connected and data.draw(st.booleans()):
            it.connect(listed=data.draw(st.booleans()))
