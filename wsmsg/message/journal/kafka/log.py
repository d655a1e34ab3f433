"""
Forwards the log of the Kafka library.

The library writes many lines about lost connections, which the dependency reports once;
so all of them are for developers only.
"""

from __future__ import annotations

import logging

from twisted.logger import Logger

_log = Logger("wsmsg.message.journal.kafka")


class _ToOurs(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _log.debug("{text}", text=record.getMessage())


def _quiet() -> logging.Logger:
    logger = logging.Logger("wsmsg-kafka", logging.DEBUG)
    logger.addHandler(_ToOurs())
    return logger


#: For C{logger} in a client's configuration.
QUIET = _quiet()
