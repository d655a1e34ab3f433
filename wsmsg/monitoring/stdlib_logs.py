"""
Forwards records of the standard library's logging, which gRPC and asyncio use, to
Twisted's log.
"""

from __future__ import annotations

import logging

from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

_LEVELS = (
    (logging.CRITICAL, LogLevel.critical),
    (logging.ERROR, LogLevel.error),
    (logging.WARNING, LogLevel.warn),
    (logging.INFO, LogLevel.info),
)

#: Errors that gRPC logs because a peer sent bytes that are not protobuf, or left before
#: it read the status of its call.  Neither is a bug of this daemon.
_PEER_ERRORS = frozenset({"DecodeError", "ExecuteBatchError"})


class ToTwisted(logging.Handler):
    """
    Forwards records; it may be called from any thread.
    """

    def emit(self, record: logging.LogRecord) -> None:
        level = next(
            (level for least, level in _LEVELS if record.levelno >= least),
            LogLevel.debug,
        )
        fields: dict[str, object] = {"text": record.getMessage()}
        error = record.exc_info[1] if record.exc_info else None
        if record.name.startswith("grpc") and type(error).__name__ in _PEER_ERRORS:
            fields["text"] = f"{fields['text']}: {error}"
            level = LogLevel.warn
        elif error is not None:
            fields["log_failure"] = Failure(error)
        Logger(namespace=record.name).emit(level, "{text}", **fields)


def forward_stdlib(level: int = logging.WARNING) -> None:
    """
    Forward records of this level and above to Twisted's log, and to nothing else.
    """
    logging.basicConfig(level=level, handlers=[ToTwisted()], force=True)
