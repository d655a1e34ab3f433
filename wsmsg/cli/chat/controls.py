"""
Parts of the screen that prompt_toolkit asks for their content.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.controls import UIContent, UIControl

from wsmsg.cli.chat.commands import commands_for
from wsmsg.cli.chat.target import ChatTarget

Draw = Callable[[int, int], Sequence[StyleAndTextTuples]]


class ConversationControl(UIControl):
    """
    The content of a window, whose rows depend on its size.

    @param draw: is given the width and the height; returns the rows.
    """

    def __init__(self, draw: Draw) -> None:
        self._draw = draw

    def create_content(self, width: int, height: int) -> UIContent:
        rows = self._draw(width, height)
        return UIContent(
            get_line=lambda at: rows[at], line_count=len(rows), show_cursor=False
        )


class CommandNames(Completer):
    """
    Completes the name of a command that makes sense in a chat.
    """

    def __init__(self, talk: ChatTarget) -> None:
        self._commands = commands_for(talk)

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterator[Completion]:
        typed = document.text
        if not typed.startswith("/") or " " in typed:
            return
        for command in self._commands:
            if command.name.startswith(typed):
                yield Completion(
                    command.name,
                    start_position=-len(typed),
                    display=command.usage,
                    display_meta=command.help,
                )
