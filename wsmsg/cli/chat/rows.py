"""
The rows that a conversation takes on a terminal, and which of them are in sight.

The module does not know the terminal; L{wsmsg.cli.chat.screen} draws the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from wsmsg.cli.chat.cells import cells, drawable, wrapped
from wsmsg.cli.chat.view import ChatEntry, ChatView, clock_time, day_of

#: A style, and text in it.
Fragment = tuple[str, str]

_TIME = 6
# A longer name leaves too little room for what its user says.
_NAME = 24
_NARROWEST = 10


@attrs.frozen(eq=False)
class ChatRow:
    """
    One row.

    @ivar entry: the line of the conversation that it is a part of.
    """

    entry: ChatEntry
    fragments: Sequence[Fragment]


class ConversationRows:
    """
    The rows of a conversation, and the place to which the user has scrolled.

    The end is in sight until the user scrolls back.  From then on the same rows stay in
    sight, whatever arrives.

    @param name_of: returns the name of the sender of a line.
    """

    def __init__(self, view: ChatView, name_of: Callable[[ChatEntry], str]) -> None:
        self._view = view
        self._name_of = name_of
        self._made: dict[int, tuple[object, list[ChatRow]]] = {}
        self._last: tuple[ChatEntry, int] | None = None
        self._arrived = 0

    @property
    def at_end(self) -> bool:
        """
        L{True} if the end is in sight.
        """
        return self._last is None

    @property
    def unseen(self) -> int:
        """
        The number of messages of others that arrived below what is in sight.
        """
        return 0 if self.at_end else self._view.arrived - self._arrived

    def in_sight(self, width: int, height: int) -> list[ChatRow]:
        """
        Return the rows to draw, at most C{height}, of at most C{width} cells.
        """
        rows = self._rows(width)
        end = max(self._end(rows), min(height, len(rows)))
        return rows[max(0, end - height) : end]

    def back(self, width: int, height: int, by: int) -> bool:
        """
        Scroll back.

        @return: whether there are rows further back.
        """
        rows = self._rows(width)
        if self._last is None:
            self._arrived = self._view.arrived
        end = max(self._end(rows) - by, min(height, len(rows)))
        if end < len(rows):
            self._keep(rows, end)
        return end > height

    def forward(self, width: int, by: int) -> None:
        """
        Scroll forward.
        """
        rows = self._rows(width)
        end = self._end(rows) + by
        if end < len(rows):
            self._keep(rows, end)
        else:
            self.to_end()

    def to_end(self) -> None:
        """
        Scroll to the end, and stay there.
        """
        self._last = None

    def _keep(self, rows: Sequence[ChatRow], end: int) -> None:
        last = rows[end - 1]
        first = next(i for i, row in enumerate(rows) if row.entry is last.entry)
        self._last = (last.entry, end - 1 - first)

    def _end(self, rows: Sequence[ChatRow]) -> int:
        if self._last is None:
            return len(rows)
        entry, at = self._last
        own = [i for i, row in enumerate(rows) if row.entry is entry]
        if not own:  # the view has dropped the line: the oldest rows are next to it
            return 0
        return own[min(at, len(own) - 1)] + 1

    def _rows(self, width: int) -> list[ChatRow]:
        rows: list[ChatRow] = []
        made, self._made = self._made, {}
        day = ""
        for entry in self._view.entries:
            new_day = day_of(entry.time_ms) if entry.time_ms else day
            key = (
                width,
                entry.text,
                entry.recalled,
                entry.problem,
                entry.seq,
                self._view.mark(entry),
                self._name_of(entry),
                new_day if new_day != day else "",
            )
            known = made.get(id(entry))
            if known is None or known[0] != key or known[1][0].entry is not entry:
                dated = new_day if new_day != day else ""
                known = (key, self._entry_rows(entry, max(width, _NARROWEST), dated))
            self._made[id(entry)] = known
            rows += known[1]
            day = new_day
        return rows

    def _entry_rows(self, entry: ChatEntry, width: int, dated: str) -> list[ChatRow]:
        rows: list[list[Fragment]] = []
        if dated:
            rows.append([("class:day", f"\u2500\u2500 {dated}"[:width])])
        when = ("class:time", f"{clock_time(entry.time_ms):>{_TIME - 1}} ")
        if entry.note:
            lines = wrapped(entry.text, width - _TIME)
            head, text_style = [when], "class:note"
            indent = _TIME
        else:
            name = _shortened(drawable(self._name_of(entry)), min(_NAME, width // 3))
            style = "class:mine" if entry.mine else "class:theirs"
            head, text_style = [when, (style, f"{name}: ")], ""
            indent = min(_TIME + cells(name) + 2, width // 2)
            taken = _TIME + cells(name) + 2 - indent
            lines = wrapped(
                "(taken back)" if entry.recalled else entry.text, width - indent, taken
            )
            if entry.recalled:
                text_style = "class:mark"
        pad = ("", " " * indent)
        for at, line in enumerate(lines):
            rows.append([*([pad] if at else head), (text_style, line)])
        if mark := self._mark(entry):
            used = cells("".join(text for _, text in rows[-1]))
            style = "class:problem" if entry.problem else "class:mark"
            if used + 2 + cells(mark) <= width:
                rows[-1].append((style, f"  {mark}"))
            else:
                rows += [[pad, (style, m)] for m in wrapped(mark, width - indent)]
        return [ChatRow(entry, fragments) for fragments in rows]

    def _mark(self, entry: ChatEntry) -> str:
        mark = self._view.mark(entry)
        numbered = entry.mine and entry.seq and not entry.recalled
        return f"{mark} #{entry.seq}" if numbered else mark


def _shortened(text: str, width: int) -> str:
    if cells(text) <= width:
        return text
    while text and cells(text) > width - 1:
        text = text[:-1]
    return f"{text}\u2026"
