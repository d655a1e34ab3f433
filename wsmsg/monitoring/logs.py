"""
Log observers: the destination, the format and the minimum level of a daemon's log.

Text has Twisted's classic format.  JSON has one object a line: C{time}, C{level},
C{source}, C{text}, then the event's own fields by their names, and C{traceback} for a
failure.  Fields that could hold a message of a user or a secret (L{HIDDEN}) are never
written; all other text is made L{harmless}, and URLs lose their passwords.
"""

from __future__ import annotations

import atexit
import json
import os
import stat
import sys
import syslog
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any, TextIO

from twisted.logger import (
    ILogObserver,
    LogEvent,
    LogLevel,
    formatEvent,
    formatEventAsClassicLogText,
    formatTime,
)
from zope.interface import implementer

from wsmsg.monitoring.log_file import DescriptorOutput, LogFile
from wsmsg.monitoring.log_writer import FileLogWriter, ILogWriter, LogWriter, Out
from wsmsg.monitoring.metrics import Metrics
from wsmsg.settings.values import LogSettings
from wsmsg.text.counted import plural
from wsmsg.text.escape import harmless
from wsmsg.text.passwords import without_passwords

#: Fields whose values are never written.
HIDDEN = frozenset(
    {"authorization", "body", "content", "password", "secret", "token", "value"}
)

# Fields that Twisted's old logging API adds to each event; the line has them anyway.
_OLD_STYLE = frozenset({"message", "time", "isError", "system", "format", "logLevel"})
# What Twisted makes the text of an event of.
_UNUSUAL = frozenset({"log_failure", "log_system"})
_RENDERED = frozenset({"log_format", "log_flattened", "log_text"})
_LINE_FIELDS = frozenset({"time", "level", "source", "text", "traceback"})
_FLUSH_S = 1.0
_ORDER = {level: rank for rank, level in enumerate(LogLevel.iterconstants())}


@implementer(ILogObserver)
class Logs:
    """
    An observer that writes events; it may be called from any thread.

    @ivar rotate: starts a new file, if the destination is a file.
    @param may_block: whether the destination may take no more lines for a while, so
        that a thread has to write them from L{start} on.
    @param worker: the number of this process, if several write to one destination.
    """

    def __init__(
        self,
        out: Out,
        settings: LogSettings,
        *,
        rotate: Callable[[], object] = lambda: None,
        may_block: bool = False,
        worker: int = 0,
    ) -> None:
        self._worker = worker
        self._out = out
        self._may_block = may_block
        self._writer: ILogWriter = FileLogWriter(out, self._dropped_line)
        self.rotate = rotate
        self.apply_settings(settings)

    def apply_settings(self, settings: LogSettings) -> None:
        """
        Log at this level and in this format from now on.
        """
        self._minimum = _ORDER[LogLevel.levelWithName(settings.level)]
        plain = as_json if settings.format == "json" else as_text
        numbered = partial(_of_worker, plain, self._worker)
        self._format = numbered if self._worker else plain

    def __call__(self, event: LogEvent) -> None:
        level = event.get("log_level")
        if level is not None and _ORDER[level] < self._minimum:
            return
        line = self._format(event)
        if line:
            self._writer.write(line)

    def start(self) -> None:
        """
        Never block any more.  The process must not fork after this.
        """
        if self._may_block:
            self._may_block = False
            self._writer = LogWriter(self._out, self._dropped_line)
            atexit.register(self.flush)

    def flush(self) -> None:
        """
        Wait, for a second at most, until all lines are written.
        """
        self._writer.flush(_FLUSH_S)

    def register_metrics(self, metrics: Metrics) -> None:
        """
        Have the dropped lines read by each scrape.
        """
        metrics.counter(
            "wsmsg_log_dropped",
            "Lines of the log that were dropped because the output took no more",
            lambda: self._writer.dropped,
        )

    def _dropped_line(self, dropped: int) -> str:
        return self._format(
            {
                "log_level": LogLevel.warn,
                "log_namespace": __name__,
                "log_time": time.time(),
                "log_format": "{dropped} {were} dropped here, because the output took "
                "no more",
                "dropped": dropped,
                "were": plural(dropped, "line of the log was", "lines of the log were"),
            }
        )


def twistd_logs(
    options: Mapping[str, Any], settings: LogSettings, worker: int = 0
) -> Logs:
    """
    Make the observer that twistd's options ask for.

    @param options: those of twistd itself.
    @param worker: as for L{Logs}; a log file is of one process.
    """
    foreground = bool(options.get("nodaemon"))
    name = options.get("logfile") or ("-" if foreground else "twistd.log")
    if options.get("logger"):
        # twistd uses its own observer, and never calls this one.
        return Logs(_Nowhere(), settings)
    if options.get("syslog"):
        out = _Syslog(options.get("prefix") or "")
        return Logs(out, settings, may_block=True, worker=worker)
    if name != "-":
        file = _log_file(name)
        return Logs(file, settings, rotate=file.rotate)
    if not foreground:
        reason = "a daemon in the background cannot log to stdout; add -n"
        print(f"wsmsg: {reason}", file=sys.stderr)
        raise SystemExit(2)
    return _to_stdout(sys.stdout, settings, worker)


def _to_stdout(stream: TextIO | None, settings: LogSettings, worker: int) -> Logs:
    if stream is None:  # closed before the start
        return Logs(_Nowhere(), settings)
    try:
        number = stream.fileno()
        stream.flush()
        is_file = stat.S_ISREG(os.fstat(number).st_mode)
    except (OSError, ValueError):
        return Logs(stream, settings, worker=worker)  # in memory, or closed
    out = DescriptorOutput(number)
    return Logs(out, settings, may_block=not is_file, worker=worker)


def _log_file(name: str) -> LogFile:
    try:
        return LogFile(name)
    except OSError as e:
        print(f"wsmsg: cannot write the log {name}: {e.strerror or e}", file=sys.stderr)
        raise SystemExit(1) from None


class _Nowhere:
    def write(self, text: str, /) -> None:
        pass

    def flush(self) -> None:
        pass


class _Syslog(_Nowhere):
    def __init__(self, prefix: str) -> None:
        syslog.openlog(prefix, syslog.LOG_PID, syslog.LOG_DAEMON)

    def write(self, text: str, /) -> None:
        for line in text.splitlines():
            syslog.syslog(line)


def _of_worker(form: Callable[[LogEvent], str], worker: int, event: LogEvent) -> str:
    """
    Return the line of an event, with the number of the worker.
    """
    line = form(event)
    if line.startswith("{"):
        return f'{{"worker": {worker}, {line[1:]}'
    return line.replace("] ", f"] worker {worker}: ", 1)


def as_text(event: LogEvent) -> str:
    """
    Format an event as one line of text, such as
    C{2026-01-31T12:00:00+0000 [wsmsg.monitoring.health.Health#info] ready}.  A failure
    adds the lines of its traceback, each after a tab.
    """
    event = _without_hidden(event)
    shown = _shown(_text(event))
    time_s = event.get("log_time")
    if _UNUSUAL.isdisjoint(event) and isinstance(time_s, float):
        level = getattr(event.get("log_level"), "name", "-")
        source = _shown(f"{event.get('log_namespace', '-')}#{level}")
        return f"{_second(int(time_s))} [{source}] {shown}\n" if shown else ""
    fields = {k: v for k, v in event.items() if k not in _RENDERED}
    fields.update(log_format="{log_text}", log_text=shown)
    text = formatEventAsClassicLogText(fields) or ""
    return _shown(text.removesuffix("\n"), "\n\t") + "\n" if text else ""


def as_json(event: LogEvent) -> str:
    """
    Format an event as one line with a JSON object.
    """
    event = _without_hidden(event)
    line: dict[str, object] = {
        "time": _time(event.get("log_time", 0.0)),
        "level": getattr(event.get("log_level"), "name", "info"),
        "source": _plain(event.get("log_namespace", event.get("log_system", "-"))),
        "text": _shown(_text(event)),
    }
    for name, value in event.items():
        if not name.startswith("log_") and name not in _OLD_STYLE:
            shown = _shown(name)
            line[f"field_{shown}" if name in _LINE_FIELDS else shown] = _plain(value)
    if (failure := event.get("log_failure")) is not None:
        line["traceback"] = _shown(failure.getTraceback(), "\n")
    return json.dumps(line, ensure_ascii=False) + "\n"


def _text(event: LogEvent) -> str:
    """
    Return the text of an event.
    """
    template = event.get("log_format")
    if isinstance(template, str) and "log_flattened" not in event:
        # Six times as quick as Twisted, which also calls what the format says.
        with suppress(Exception):
            return template.format_map(event)
    return formatEvent(event)


@lru_cache(maxsize=2)
def _second(time_s: int) -> str:
    """
    Return a time as Twisted's classic format has it, which shows no fractions.
    """
    return formatTime(float(time_s))


def _shown(text: str, line_end: str | None = None) -> str:
    """
    Return text of anybody as the log shows it: without the passwords of URLs, and
    without characters that would break a line or that a terminal would obey.

    @param line_end: the end of a line that is kept; L{None}: none is.
    """
    text = without_passwords(text)
    if line_end is None:
        return harmless(text)
    return line_end.join(map(harmless, text.split(line_end)))


def _without_hidden(event: LogEvent) -> LogEvent:
    if HIDDEN.isdisjoint(event):
        return event
    return {k: "(not logged)" if k in HIDDEN else v for k, v in event.items()}


def _plain(value: object) -> object:
    if isinstance(value, str):
        return _shown(value)
    if isinstance(value, (int, float, bool, type(None))):
        return value
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {_shown(str(key)): _plain(each) for key, each in value.items()}
    return _shown(str(value))


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
