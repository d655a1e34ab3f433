"""
The witness of the store: a text for each partition, which a journal writes with its
commits and gives to whoever reads on from there
(L{wsmsg.message.journal.interface.IJournal.keep_witness}).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping


class Witness:
    """
    The texts that a journal is to write, and those that it found.
    """

    def __init__(self) -> None:
        self._found: dict[int, str] = {}
        self._texts: Callable[[], Mapping[int, str]] = dict
        self._tell: Callable[[Mapping[int, str]], object] = dict

    def keep(
        self,
        witness: Callable[[], Mapping[int, str]],
        found: Callable[[Mapping[int, str]], object],
    ) -> None:
        """
        As L{wsmsg.message.journal.interface.IJournal.keep_witness}.
        """
        self._texts, self._tell = witness, found
        found(self._found)

    def texts(self) -> Mapping[int, str]:
        """
        Return the texts that are to be written now.
        """
        return self._texts()

    def found(self, texts: Mapping[int, str]) -> None:
        """
        Pass on the texts of the last commits of partitions that are read from now on.
        """
        self._found.update(texts)
        self._tell(texts)
