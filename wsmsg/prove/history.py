"""
A history: what clients and faults did, as JSON objects, one a line.

The lines are in the order of their time C{t}, in seconds of the monotonic clock since
the first one.  C{e} is the kind of a line, and C{op} what it is about:

  - C{begin}: the first line, with the version of this format, the seed and the versions
    of the software.
  - C{invoke}, C{ok}, C{fail}, C{info} with C{op: send}: a client sends a message; the
    server accepts it, refuses it for good, or leaves its fate open.  The C{body} of
    each message is unique; a repeat has the same C{id}.
  - C{info} of a client: C{open} and C{close} of a session, C{resync}, and the messages
    it gets by C{push}, by C{page}, or as C{event} of the Python client.  C{old} is
    there where the device had been away.  C{expect} says that a device stayed to the
    end and has to have everything.
  - C{info} about users: C{gone} and C{back} when the last connection of a user dies
    and a new one is open; C{presence} is what a watcher is told.
  - C{fault}: C{begin}, C{end}, C{recovered} or C{failed}.  C{blinds} says that watchers
    may not be told of presence meanwhile.
  - C{info} about daemons: C{level} (memory, files, threads, with the most allowed),
    C{stopped}, C{missed}, C{traceback}; C{stall} is time that the machine lost.
  - C{final}: each stored message, as a new device reads it at the end.
  - C{end}: the last line, with the number of lines.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from wsmsg.prove.checker import BadHistory, Line

FORMAT, VERSION = "wsmsg-history", 1
_FLUSHED_S = 1.0


class HistoryWriter:
    """
    Writes a history.

    @ivar lines: the number of lines so far.
    """

    def __init__(
        self, file: TextIO, clock: Callable[[], float] = time.monotonic, **header: Any
    ) -> None:
        self.lines = 0
        self._file = file
        self._clock = clock
        self._began_s = self._flushed_s = clock()
        self.write("begin", format=FORMAT, version=VERSION, **header)

    def write(self, e: str, op: str = "", /, **fields: Any) -> None:
        """
        Write a line, with the time.
        """
        now_s = self._clock()
        line: Line = {"t": round(now_s - self._began_s, 4), "e": e}
        if op:
            line["op"] = op
        self.lines += 1
        self._file.write(json.dumps({**line, **fields}, ensure_ascii=False) + "\n")
        if now_s > self._flushed_s + _FLUSHED_S:
            self._flushed_s = now_s
            self._file.flush()

    def info(self, op: str, **fields: Any) -> None:
        """
        Write what happened, which no request asked for.
        """
        self.write("info", op, **fields)

    def end(self) -> None:
        """
        Write the last line.
        """
        self.write("end", lines=self.lines + 1)
        self._file.flush()


def read_history(file: TextIO) -> Iterator[tuple[int, Line]]:
    """
    Return the lines of a history with their numbers.

    @raise BadHistory: it is cut short, out of order, of another version, or no history.
    """
    n, last_s, kind = 0, 0.0, ""
    for n, text in enumerate(_texts(file), 1):
        if kind == "end":
            raise BadHistory(n, "the history goes on after its end")
        line = _parsed(n, text)
        if n == 1:
            _check_header(line)
        elif line["t"] < last_s:
            raise BadHistory(n, f"out of order: {line['t']} comes after {last_s}")
        last_s, kind = line["t"], line.get("e", "")
        if kind == "end" and line.get("lines") != n:
            written = line.get("lines")
            raise BadHistory(n, f"{written} lines were written, and this is line {n}")
        yield n, line
    if not n:
        raise BadHistory(0, "the history is empty")
    if kind != "end":
        raise BadHistory(n, "the history is cut short: its last line does not end it")


def _texts(file: TextIO) -> Iterator[str]:
    try:
        yield from file
    except UnicodeDecodeError:
        raise BadHistory(0, "not a history: it is not UTF-8 text") from None


def _parsed(n: int, text: str) -> Line:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        if n > 1 and not text.endswith("\n"):
            reason = "the history is cut short in the middle of a line"
            raise BadHistory(n, reason) from None
        raise BadHistory(n, "not JSON") from None
    t = line.get("t") if isinstance(line, dict) else None
    if not isinstance(t, (int, float)) or isinstance(t, bool) or t != t:
        raise BadHistory(n, "not an object with a time t")
    assert isinstance(line, dict)
    return line


def _check_header(line: Line) -> None:
    if line.get("e") != "begin" or line.get("format") != FORMAT:
        raise BadHistory(1, f"not the header of a history ({FORMAT})")
    if line.get("version") != VERSION:
        version = line.get("version")
        raise BadHistory(1, f"version {version!r}; this program reads {VERSION}")
