"""
The workers of a daemon, for the parts around them in their supervisor.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import Deferred

from wsmsg.monitoring.admin import OtherProcesses
from wsmsg.monitoring.metrics import MetricValues


class Crew(OtherProcesses, Protocol):
    """
    The workers of a daemon, as its supervisor has them.
    """

    @property
    def values(self) -> MetricValues:
        """
        Their metrics, summed up.
        """

    @property
    def is_fine(self) -> bool:
        """
        True unless one of them hangs.
        """

    def reload(self) -> Deferred[None]:
        """
        Have all of them read the settings again.
        """

    def rotate(self) -> object:
        """
        Have all of them begin new log files.
        """

    def cut(self) -> bool:
        """
        End their lead time.

        @return: whether it was under way.
        """

    def kill(self) -> object:
        """
        End all of them at once.
        """
