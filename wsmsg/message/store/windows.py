"""
Windows: bounded pieces of a shard's change numbers, one behind the other; no I/O.

The number of conversations in a piece of the numbers is unknown before it is read, and
a server that evaluates a query as a whole before it applies the limit reads all of
them.  So each window has a limit of time.  A window behind one with nothing in it is
wider, one behind some conversations is as wide as the page needs, and one that takes
too long is read again as several narrower ones.

The numbers of a generation begin at a multiple of C{1 << BITS}, far above those of the
generation before (L{wsmsg.message.store.numbers}), so a window that begins within
a generation ends with it.
"""

from __future__ import annotations

from typing import NamedTuple

from wsmsg.message.store.numbers import BITS

#: The width of the first window of a generation.
FIRST = 1024
#: The ratio of a window's width to that of the one before, which found nothing.
WIDER = 1024
#: The ratio of a window that took too long to those that it is divided into.
NARROWER = 32
_GENERATION = 1 << BITS


class Window(NamedTuple):
    """
    The numbers from C{first} on that are below C{beyond}, or all of them.
    """

    first: int
    beyond: int | None


class WindowWalk:
    """
    A walk through the numbers of one shard.

    @param first: the number to begin with.
    @param end: the highest number that a list has to tell; few are above it.
    @param width: the numbers of the first window; below 1: all.
    @ivar width: the numbers of the next window.
    """

    def __init__(self, first: int, end: int, width: int = 0) -> None:
        self.width = width if width > 0 else max(end - first + 1, 1)
        self._first = first
        self._end = end
        self._all = width <= 0
        # Below the first number, windows do not widen beyond the second: a window that
        # ended there took too long.
        self._heavy = (0, 0)
        # Nothing was found in the present generation, from its beginning on.
        self._empty = not first % _GENERATION

    @property
    def window(self) -> Window:
        """
        The next window.
        """
        beyond = self._first + self.width
        behind = self._first % _GENERATION
        if behind and not self._all:
            beyond = min(beyond, self._first - behind + _GENERATION)
        return Window(self._first, None if beyond > self._end else beyond)

    @property
    def is_narrowest(self) -> bool:
        """
        The next window cannot be divided.
        """
        return self._size() <= 1

    def passed(self, found: int, room: int) -> None:
        """
        Go on behind the window.

        @param found: the conversations in it.
        @param room: how many more the page has room for.
        """
        beyond = self.window.beyond
        assert beyond is not None
        width = self.width * WIDER
        if found:
            width = max(min(self._size() * room // found, width), 1)
            self._empty = False
        below, most = self._heavy
        if beyond < below:
            width = min(width, most)
        if not beyond % _GENERATION:
            # Behind a generation without any there may be more of them.
            whole = width // _GENERATION * _GENERATION
            width = whole if self._empty and whole else FIRST
            self._empty = True
        self._first, self.width = beyond, width

    def took_too_long(self) -> None:
        """
        Divide the window.
        """
        size = self._size()
        narrower = max(size // NARROWER, 1)
        if size < _GENERATION:
            self._heavy, self.width = (self._first + size, narrower), narrower
        else:
            # The generations are looked at one by one.
            if not self._all:
                self._heavy = (self._first + size, _GENERATION)
            self.width = min(narrower, FIRST)
        self._all = False

    def _size(self) -> int:
        first, beyond = self.window
        return (self._end + 1 if beyond is None else beyond) - first
