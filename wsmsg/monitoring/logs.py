"""
Log observers: the destination, the format and the minimum level of a daemon's log.

Text has Twisted's classic format.  JSON has one object a line: C{time}, C{level},
C{source}, C{text}, then the event's own fields by their names, and C{traceback} for a
failure.  Fields that could hold a message of a user or a secret (L{HIDDEN}) are never
written.
"""

from __future__ import annotations

import json
import sys
import syslog
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from twisted.logger import (
    ILogObserver,
    LogEvent,
    LogLevel,
    formatEvent,
    formatEventAsClassicLogText,
)
from twisted.python.logfile import LogFile
from zope.interface import implementer

from wsmsg.settings.values import LogSettings

#: Fields whose values are never written.
HIDDEN = frozenset(
    {"authorization", "body", "content", "password", "secret", "token", "value"}
)

# Fields that Twisted's old logging API adds to each event; the line has them anyway.
_OLD_STYLE = frozenset({"message", "time", "isError", "system", "format", "logLevel"})
_LINE_FIELDS = frozenset({"time", "level", "source", "text", "traceback"})
_ORDER = {level: rank for rank, level in enumerate(LogLevel.iterconstants())}


class Out(Protocol):
    """
    A destination of lines.
    """

    def write(self, text: str, /) -> object: ...

    def flush(self) -> object: ...


@implementer(ILogObserver)
class Logs:
    """
    An observer that writes events; it may be called from any thread.

    @param rotate: starts a new file.
    """

    def __init__(
        self,
        out: Out,
        settings: LogSettings,
        *,
        rotate: Callable[[], object] = lambda: None,
    ) -> None:
        self._out = out
        self._lock = threading.Lock()
        self._rotate = rotate
        self.apply_settings(settings)

    def apply_settings(self, settings: LogSettings) -> None:
        """
        Log at this level and in this format from now on.
        """
        self._minimum = _ORDER[LogLevel.levelWithName(settings.level)]
        self._format = as_json if settings.format == "json" else as_text

    def __call__(self, event: LogEvent) -> None:
        level = event.get("log_level")
        if level is not None and _ORDER[level] < self._minimum:
            return
        line = self._format(event)
        if line:
            with self._lock:
                self._out.write(line)
                self._out.flush()

    def rotate(self) -> None:
        """
        Start a new file, if the destination is a file.
        """
        with self._lock:
            self._rotate()


def twistd_logs(options: Mapping[str, Any], settings: LogSettings) -> Logs:
    """
    Make the observer that twistd's options ask for.

    @param options: those of twistd itself.
    """
    foreground = bool(options.get("nodaemon"))
    name = options.get("logfile") or ("-" if foreground else "twistd.log")
    if options.get("logger"):
        # twistd uses its own observer, and never calls this one.
        return Logs(_Nowhere(), settings)
    if options.get("syslog"):
        return Logs(_Syslog(options.get("prefix") or ""), settings)
    if name != "-":
        file = _log_file(name)
        return Logs(file, settings, rotate=file.rotate)
    if not foreground:
        reason = "a daemon in the background cannot log to stdout; add -n"
        print(f"wsmsg: {reason}", file=sys.stderr)
        raise SystemExit(2)
    return Logs(sys.stdout, settings)


def _log_file(name: str) -> LogFile:
    try:
        file: LogFile = LogFile.fromFullPath(name)
        return file
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


def as_text(event: LogEvent) -> str:
    """
    Format an event as one line of text, such as
    C{2026-01-31T12:00:00+0000 [wsmsg.monitoring.health.Health#info] ready}.
    """
    return formatEventAsClassicLogText(_without_hidden(event)) or ""


def as_json(event: LogEvent) -> str:
    """
    Format an event as one line with a JSON object.
    """
    event = _without_hidden(event)
    line: dict[str, object] = {
        "time": _time(event.get("log_time", 0.0)),
        "level": getattr(event.get("log_level"), "name", "info"),
        "source": event.get("log_namespace", event.get("log_system", "-")),
        "text": formatEvent(event),
    }
    for name, value in event.items():
        if not name.startswith("log_") and name not in _OLD_STYLE:
            line[f"field_{name}" if name in _LINE_FIELDS else name] = _plain(value)
    if (failure := event.get("log_failure")) is not None:
        line["traceback"] = failure.getTraceback()
    return json.dumps(line, ensure_ascii=False, skipkeys=True, default=str) + "\n"


def _without_hidden(event: LogEvent) -> LogEvent:
    if HIDDEN.isdisjoint(event):
        return event
    return {k: "(not logged)" if k in HIDDEN else v for k, v in event.items()}


def _plain(value: object) -> object:
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    return str(value)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
