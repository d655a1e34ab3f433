"""
What libraries tell Python's own logging (gRPC, asyncio), in our log.
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

#: What gRPC raises because a peer sent what is no protobuf, or went without hearing
#: how its call ended.  Neither is a bug of ours.
_OF_PEERS = frozenset({"DecodeError", "ExecuteBatchError"})


class ToTwisted(logging.Handler):
    """
    Passes records on, from any thread.
    """

    def emit(self, record: logging.LogRecord) -> None:
        level = next(
            (ours for least, ours in _LEVELS if record.levelno >= least), LogLevel.debug
        )
        fields: dict[str, object] = {"text": record.getMessage()}
        error = record.exc_info[1] if record.exc_info else None
        if record.name.startswith("grpc") and type(error).__name__ in _OF_PEERS:
            fields["text"] = f"{fields['text']}: {error}"
            level = LogLevel.warn
        elif error is not None:
            fields["log_failure"] = Failure(error)
        Logger(namespace=record.name).emit(level, "{text}", **fields)


def forward_stdlib(level: int = logging.WARNING) -> None:
    """
    Pass what is logged there from this level on to our log, and nowhere else.
    """
    root = logging.getLogger()
    root.handlers = [ToTwisted()]
    root.setLevel(level)
