"""
The chat on a terminal: the conversation above, an input line below.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Coroutine, Sequence
from typing import Any

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import (
    ConditionalContainer,
    Float,
    FloatContainer,
    HSplit,
    Layout,
    Window,
)
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.layout.menus import CompletionsMenu
from prompt_toolkit.styles import Style
from prompt_toolkit.widgets import TextArea

from wsmsg.cli.chat.commands import ChatContext, run_command
from wsmsg.cli.chat.controls import CommandNames, ConversationControl
from wsmsg.cli.chat.rows import ChatRow, ConversationRows
from wsmsg.cli.chat.target import ChatTarget
from wsmsg.cli.chat.view import ChatEntry, ChatView
from wsmsg.client import Client, Closed, Connected, Stored
from wsmsg.errors import WsmsgError
from wsmsg.model import group_in, is_group
from wsmsg.text.counted import counted
from wsmsg.text.escape import harmless

_HISTORY = 100
_REFRESH_S = 1.0
_TYPING_EVERY_S = 2.0
_INPUT_ROWS = 6
# For the first draw, before the terminal has said how large it is.
_SIZE = (80, 24)

STYLE = Style.from_dict(
    {
        "time": "ansibrightblack",
        "day": "ansibrightblack",
        "mine": "bold ansicyan",
        "theirs": "bold ansigreen",
        "mark": "ansibrightblack",
        "problem": "bold ansired",
        "note": "italic ansiyellow",
        "status": "reverse",
        "question": "bold ansiyellow",
    }
)


class ChatScreen:
    """
    The screen of the chat.

    @param talk: the user or the group to talk to.
    @param kept_in: the file that keeps unsent messages when the user leaves; empty:
        they are lost.
    """

    def __init__(self, client: Client, talk: ChatTarget, kept_in: str = "") -> None:
        self._client = client
        self._talk = talk
        self._user = talk.user
        self._kept_in = kept_in
        self._conversation = talk.conversation
        self.view = ChatView(self._conversation, time.monotonic, client.name_of)
        self.rows = ConversationRows(self.view, self._sender)
        self._context = ChatContext(client, talk, self.view, self._leave)
        self._size = _SIZE
        self._loading = False
        self._asks = False
        self._typed_at = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        # To cancel one of these would withdraw its message.
        self._sends: set[asyncio.Task[None]] = set()
        self._input = TextArea(
            height=Dimension(min=1, max=_INPUT_ROWS),
            prompt="> ",
            dont_extend_height=True,
            completer=CommandNames(talk),
            complete_while_typing=False,
        )
        self._input.buffer.on_text_changed += self._typed
        asks = Condition(lambda: self._asks)
        question = Window(
            FormattedTextControl(self._question),
            height=1,
            style="class:question",
        )
        screen = HSplit(
            [
                Window(ConversationControl(self.draw), height=Dimension(weight=1)),
                Window(
                    FormattedTextControl(self._status), height=1, style="class:status"
                ),
                ConditionalContainer(question, asks),
                ConditionalContainer(self._input, ~asks),
            ]
        )
        menu = Float(CompletionsMenu(max_height=12), xcursor=True, ycursor=True)
        self._app: Application[None] = Application(
            Layout(FloatContainer(screen, [menu]), self._input),
            key_bindings=self._keys(asks),
            style=STYLE,
            full_screen=True,
            refresh_interval=_REFRESH_S,
        )

    async def run(self) -> Closed | None:
        """
        Run until the user leaves.  Messages that are not accepted stay with the client.

        @return: the end of the connection, if it ended for good.
        """
        self._spawn(self._listen())
        self._spawn(self._begin())
        if self._talk.target:
            self._client.watch([self._talk.target])
        self._client.start()
        try:
            await self._app.run_async()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        state = self._client.state
        return state if isinstance(state, Closed) else None

    async def sends_ended(self) -> None:
        """
        Wait until all sends have a result; they do if the client is closed.
        """
        await asyncio.gather(*self._sends)

    def last_rows(self) -> Sequence[ChatRow]:
        """
        Return the rows that were in sight last.
        """
        return self.rows.in_sight(*self._size)

    def draw(self, width: int, height: int) -> list[StyleAndTextTuples]:
        """
        Return the rows of the conversation in a window of this size.
        """
        self._size = (width, height)
        rows = self.rows.in_sight(width, height)
        return [list(row.fragments) for row in rows] or [
            [("class:note", "There are no messages yet. Enter sends, /help explains.")]
        ]

    # ------------------------------------------------------- what the client says

    async def _begin(self) -> None:
        try:
            await self._client.connect()
            if not self._numbers:
                return  # there is no history either
            reading = self._client.history(
                self._conversation, newest_first=True, limit=_HISTORY
            )
            messages = [message async for message in reading][::-1]
        except WsmsgError as error:
            self.view.note(f"no history: {error.reason}")
        else:
            self.view.history(messages)
            self._mark_read()
        if self._talk.group and self._talk.group not in self.view.groups:
            await self._learn_group(self._talk.group)
        self._app.invalidate()

    async def _listen(self) -> None:
        async for event in self._client.events():
            if isinstance(event, Stored) and self._is_unnamed(event):
                self._spawn(self._show_named(event))
            else:
                self.view.event(event)
            if isinstance(event, Stored):
                self._mark_read(event)
            if isinstance(event, Connected):
                self.view.connected(numbers=self._numbers)
            if isinstance(event, Closed):
                self._app.exit()
            self._app.invalidate()

    def _is_unnamed(self, event: Stored) -> bool:
        """
        Return whether an event is of another group, whose name the chat does not know.
        """
        return (
            event.conversation != self._conversation
            and not event.mine
            and is_group(event.conversation)
            and group_in(event.conversation) not in self.view.groups
        )

    async def _show_named(self, event: Stored) -> None:
        await self._learn_group(group_in(event.conversation))
        self.view.event(event)
        self._app.invalidate()

    async def _learn_group(self, group: int) -> None:
        try:
            found = await self._client.members(group, limit=1)
        except WsmsgError:
            self.view.groups[group] = ""  # the number must do
        else:
            self.view.groups[group] = found.name

    @property
    def _numbers(self) -> bool:
        limits = self._client.limits
        return limits is None or not limits.unnumbered

    def _mark_read(self, event: Stored | None = None) -> None:
        if event is not None and not event.seq:
            if event.conversation == self._conversation and not event.mine:
                self._client.mark_read(event.conversation, message_id=event.message_id)
        elif (
            self.view.shown
            and self.rows.at_end
            and isinstance(self._client.state, Connected)
        ):
            self._client.mark_read(self._conversation, self.view.shown)

    # -------------------------------------------------------- what the user does

    def _entered(self) -> None:
        text = self._input.text.strip()
        self._input.buffer.reset(append_to_history=bool(text))
        if text.startswith("/") and not text.startswith("//"):
            self.rows.to_end()
            self._spawn(self._command(text))
        elif text:
            self._say(text.removeprefix("/") if text.startswith("//") else text)

    def _say(self, text: str) -> None:
        self.rows.to_end()
        client_id = uuid.uuid4().hex
        self.view.sending(client_id, text, int(time.time() * 1000))
        sending = asyncio.create_task(self._send(client_id, text))
        self._sends.add(sending)
        sending.add_done_callback(self._sends.discard)

    async def _send(self, client_id: str, text: str) -> None:
        try:
            await self._talk.say(self._client, text, client_id)
        except WsmsgError as error:
            self.view.refused(client_id, f"{error.code}: {error.reason}")
        else:
            self.view.accepted(client_id)
        self._app.invalidate()

    async def _command(self, line: str) -> None:
        if shown := await run_command(self._context, line):
            self.view.note(shown)
        self._app.invalidate()

    async def _load_older(self) -> None:
        if self._loading or not self.view.first:
            return
        self._loading = True
        try:
            if shown := await run_command(self._context, "/history"):
                self.view.note(shown)
        finally:
            self._loading = False
        self._app.invalidate()

    def _leave(self) -> None:
        if self._client.unsent and not self._kept_in and not self._asks:
            self._asks = True
        elif self._app.is_running and not self._app.is_done:
            self._app.exit()
        self._app.invalidate()

    def _typed(self, buffer: Buffer) -> None:
        now = time.monotonic()
        text = buffer.text
        if not text or (text.startswith("/") and not text.startswith("//")):
            return
        if now >= self._typed_at + _TYPING_EVERY_S:
            self._typed_at = now
            self._client.typing(self._conversation)

    def _spawn(self, running: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(running)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ----------------------------------------------------------------- drawing

    def _sender(self, entry: ChatEntry) -> str:
        return self._name(self._user if entry.mine else entry.sender)

    def _status(self) -> str:
        presence = {True: "online", False: "offline", None: "?"}[self.view.online]
        with_whom = f"{self._name(self._talk.target)} {presence}"
        if self._talk.group:
            with_whom = self.view.group_label(self._talk.group)
        connection = self.view.connection
        if (busy := self._client.busy) and isinstance(self._client.state, Connected):
            connection = f"connected, but the server is busy: {harmless(busy)}"
        parts = [self._name(self._user), connection, with_whom]
        if self.view.typing:
            parts[-1] += ", is typing"
        if waiting := self._client.unsent:
            parts.append(f"{waiting} to be sent")
        if not self.rows.at_end:
            unseen = self.rows.unseen
            parts.append(f"{unseen} new below, End" if unseen else "End: newest")
        return " " + " | ".join(parts)

    def _question(self) -> str:
        unsent = counted(self._client.unsent, "message is", "messages are")
        return f"{unsent} not accepted yet and would be lost. Leave? (y/n) "

    def _name(self, user: int | str) -> str:
        return harmless(self._client.name_of(user) if isinstance(user, int) else user)

    def _keys(self, asks: Condition) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("c-c")
        @keys.add("c-d")
        def leave(event: KeyPressEvent) -> None:
            self._leave()

        @keys.add("y", filter=asks)
        @keys.add("Y", filter=asks)
        def yes(event: KeyPressEvent) -> None:
            self._leave()

        @keys.add("n", filter=asks)
        @keys.add("N", filter=asks)
        @keys.add("escape", filter=asks)
        @keys.add("enter", filter=asks)
        def no(event: KeyPressEvent) -> None:
            self._asks = False

        @keys.add("enter", filter=~asks)
        def send(event: KeyPressEvent) -> None:
            self._entered()

        @keys.add("escape", "enter", filter=~asks)
        def new_line(event: KeyPressEvent) -> None:
            self._input.buffer.insert_text("\n")

        @keys.add("pageup")
        def older(event: KeyPressEvent) -> None:
            width, height = self._size
            more = self.rows.back(width, height, max(1, height - 1))
            if not more:
                self._spawn(self._load_older())

        @keys.add("pagedown")
        def newer(event: KeyPressEvent) -> None:
            width, height = self._size
            self.rows.forward(width, max(1, height - 1))
            self._mark_read()

        @keys.add("end", filter=Condition(lambda: not self.rows.at_end))
        @keys.add("c-end")
        def newest(event: KeyPressEvent) -> None:
            self.rows.to_end()
            self._mark_read()

        return keys
