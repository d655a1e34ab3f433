"""
What the Kafka library writes to its log, in ours.

Its lines about lost connections are many, and the dependency tells the same once; so
they are for developers only.
"""

from __future__ import annotations

import logging

from twisted.logger import Logger

_log = Logger("wsmsg.message.kafka")


class _ToOurs(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _log.debug("{text}", text=record.getMessage())


def _quiet() -> logging.Logger:
    logger = logging.Logger("wsmsg-kafka", logging.DEBUG)
    logger.addHandler(_ToOurs())
    return logger


#: For C{logger} in a client's configuration.
QUIET = _quiet()
