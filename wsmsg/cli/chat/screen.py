"""
The chat on a terminal: the conversation above, an input line below.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Coroutine
from typing import Any

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.data_structures import Point
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import HSplit, Layout, Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.styles import Style
from prompt_toolkit.widgets import TextArea

from wsmsg.cli.chat.consent import COMMANDS, run_command
from wsmsg.cli.chat.target import ChatTarget
from wsmsg.cli.chat.view import ChatEntry, ChatView, clock_time
from wsmsg.client import Client, Closed, Connected, Stored
from wsmsg.errors import WsmsgError
from wsmsg.text.escape import harmless

_HISTORY = 100
_MEMBERS = 50
_REFRESH_S = 1.0
_TYPING_EVERY_S = 2.0

_STYLE = Style.from_dict(
    {
        "time": "ansibrightblack",
        "mine": "bold ansicyan",
        "theirs": "bold ansigreen",
        "mark": "ansibrightblack",
        "problem": "bold ansired",
        "note": "italic ansiyellow",
        "status": "reverse",
    }
)


class ChatScreen:
    """
    The screen of the chat.

    @param talk: the user or the group to talk to.
    """

    def __init__(self, client: Client, talk: ChatTarget) -> None:
        self._client = client
        self._talk = talk
        self._user = talk.user
        self._conversation = talk.conversation
        self.view = ChatView(self._conversation, time.monotonic, client.name_of)
        self._back = 0
        self._typed_at = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._input = TextArea(
            height=1, prompt="> ", multiline=False, accept_handler=self._entered
        )
        self._input.buffer.on_text_changed += self._typed
        lines = Window(
            FormattedTextControl(self._lines, get_cursor_position=self._cursor),
            wrap_lines=True,
            height=Dimension(weight=1),
        )
        status = Window(
            FormattedTextControl(self._status), height=1, style="class:status"
        )
        self._app: Application[None] = Application(
            Layout(HSplit([lines, status, self._input]), self._input),
            key_bindings=self._keys(),
            style=_STYLE,
            full_screen=True,
            refresh_interval=_REFRESH_S,
        )

    async def run(self) -> Closed | None:
        """
        Run until the user leaves.

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
            self._seen()
        self._app.invalidate()

    async def _listen(self) -> None:
        async for event in self._client.events():
            self.view.event(event)
            if isinstance(event, Stored):
                self._seen(event)
            if isinstance(event, Connected):
                self.view.connected(numbers=self._numbers)
            if isinstance(event, Closed):
                self._app.exit()
            self._app.invalidate()

    @property
    def _numbers(self) -> bool:
        limits = self._client.limits
        return limits is None or not limits.unnumbered

    def _seen(self, event: Stored | None = None) -> None:
        if event is not None and not event.seq:
            if event.conversation == self._conversation and not event.mine:
                self._client.mark_read(event.conversation, message_id=event.message_id)
        elif self.view.shown and isinstance(self._client.state, Connected):
            self._client.mark_read(self._conversation, self.view.shown)

    def _entered(self, buffer: Buffer) -> bool:
        text = buffer.text.strip()
        command, _, rest = text.partition(" ")
        if text in ("/quit", "/q"):
            self._app.exit()
        elif command == "/recall":
            self._spawn(self._recall(rest.strip()))
        elif text == "/members":
            self._spawn(self._members())
        elif command in COMMANDS:
            self._spawn(self._command(command, rest.strip()))
        elif text:
            self._back = 0
            client_id = uuid.uuid4().hex
            self.view.sending(client_id, harmless(text), int(time.time() * 1000))
            self._spawn(self._send(client_id, text))
        return False

    async def _send(self, client_id: str, text: str) -> None:
        try:
            await self._talk.say(self._client, text, client_id)
        except WsmsgError as error:
            self.view.refused(client_id, f"{error.code}: {error.reason}")
        else:
            self.view.accepted(client_id)
        self._app.invalidate()

    async def _recall(self, which: str) -> None:
        which = which.removeprefix("#") or str(self.view.last_own())
        if not (which.isascii() and which.isdecimal() and int(which[:19]) > 0):
            self.view.note("/recall takes the number of one of your messages")
        else:
            try:
                await self._client.recall(self._conversation, int(which[:19]))
            except WsmsgError as error:
                self.view.note(f"not recalled: {error.code}: {error.reason}")
        self._app.invalidate()

    async def _command(self, name: str, rest: str) -> None:
        self.view.note(await run_command(self._client, self._talk, name, rest))
        self._app.invalidate()

    async def _members(self) -> None:
        if not self._talk.group:
            self.view.note("/members is for groups")
            return
        try:
            group = await self._client.members(self._talk.group, limit=_MEMBERS)
        except WsmsgError as error:
            self.view.note(f"no members: {error.code}: {error.reason}")
        else:
            name_of = self._client.name_of
            users = ", ".join(name_of(member.user) for member in group.members)
            more = group.count - len(group.members)
            rest = f" and {more} more" if more > 0 else ""
            self.view.note(f"{group.name}: {users}{rest}; owner {name_of(group.owner)}")
        self._app.invalidate()

    def _typed(self, buffer: Buffer) -> None:
        now = time.monotonic()
        if buffer.text and now >= self._typed_at + _TYPING_EVERY_S:
            self._typed_at = now
            self._client.typing(self._conversation)

    def _spawn(self, running: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(running)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ----------------------------------------------------------------- drawing

    def _lines(self) -> StyleAndTextTuples:
        entries = self.view.entries
        if not entries:
            return [
                ("class:note", "There are no messages yet. Enter sends, /quit leaves.")
            ]
        out: StyleAndTextTuples = []
        for entry in entries:
            out += self._line(entry)
            out.append(("", "\n"))
        out.pop()
        return out

    def _line(self, entry: ChatEntry) -> StyleAndTextTuples:
        when = ("class:time", f"{clock_time(entry.time_ms):>5} ")
        if entry.note:
            return [when, ("class:note", entry.text)]
        sender = self._user if entry.mine else entry.sender
        who, style = self._name(sender), "mine" if entry.mine else "theirs"
        if entry.recalled:
            return [
                when,
                (f"class:{style}", f"{who}: "),
                ("class:mark", "(taken back)"),
            ]
        mark = self.view.mark(entry)
        if entry.mine and entry.seq:
            mark += f" #{entry.seq}"
        return [
            when,
            (f"class:{style}", f"{who}: "),
            ("", entry.text),
            ("class:problem" if entry.problem else "class:mark", f"  {mark}"),
        ]

    def _cursor(self) -> Point:
        # The window scrolls so that this line is seen: the last, or further back.
        last = max(0, len(self.view.entries) - 1)
        return Point(0, max(0, last - self._back))

    def _status(self) -> str:
        presence = {True: "online", False: "offline", None: "?"}[self.view.online]
        typing = ", is typing" if self.view.typing else ""
        waiting = self._client.unsent
        unsent = f" | {waiting} to be sent" if waiting else ""
        back = " | PageDown: newer" if self._back else ""
        with_whom = f"{self._name(self._talk.target)} {presence}"
        if self._talk.group:
            with_whom = f"group {self._talk.group}"
        return (
            f" {self._name(self._user)} | {self.view.connection} | "
            f"{with_whom}{typing}{unsent}{back}"
        )

    def _name(self, user: int | str) -> str:
        return harmless(self._client.name_of(user) if isinstance(user, int) else user)

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("c-c")
        @keys.add("c-d")
        def leave(event: KeyPressEvent) -> None:
            event.app.exit()

        @keys.add("pageup")
        def older(event: KeyPressEvent) -> None:
            step = max(1, event.app.output.get_size().rows - 4)
            self._back = min(max(0, len(self.view.entries) - 1), self._back + step)

        @keys.add("pagedown")
        def newer(event: KeyPressEvent) -> None:
            step = max(1, event.app.output.get_size().rows - 4)
            self._back = max(0, self._back - step)

        return keys
