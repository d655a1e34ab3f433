"""
The command line of C{twistd message}.
"""

from __future__ import annotations

from typing import ClassVar

from wsmsg.daemon.options import DaemonOptions
from wsmsg.settings.values import MessageSettings


class Options(DaemonOptions):
    """
    The command line of C{twistd message}.
    """

    settings_type = MessageSettings
    optParameters: ClassVar[list[list[str | None]]] = [
        ["journal", None, None, "URL of the durable log: sqlite:, kafka://host:9092"],
        ["store", None, None, "URL of the message store: sqlite:, mongodb://host/db"],
        ["presence", None, None, "URL of the user state: memory:, redis://host/0"],
    ]
