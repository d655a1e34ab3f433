"""
Optional parts of a Connect.

Only the tap knows which there are.  It adds some when it builds the tree, others when
the first client needs them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger

from wsmsg.monitoring.metrics import Metrics


class Plugin(Protocol):
    """
    An optional part of a Connect.
    """

    @property
    def name(self) -> str:
        """The key of its counts in C{/status}."""

    def start(self) -> None:
        """Begin."""

    async def stop(self) -> None:
        """End: when this returns, no connection and no timer is left."""

    def sweep(self) -> None:
        """Do what is due.  Called every 0.1 seconds."""

    def drain(self, limit_s: float) -> Deferred[None]:
        """
        Finish what clients left behind when their connections closed.

        @return: fires when nothing is left or the limit is over; never fails.
        """

    def status(self) -> Mapping[str, int]:
        """Return its current counts by name."""

    def register_metrics(self, metrics: Metrics) -> None:
        """Have its counts read by each scrape."""


class Plugins:
    """
    The plug-ins of one Connect, in the order in which they were added.
    """

    _log = Logger()

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._plugins: list[Plugin] = []
        self._is_running = False

    def add(self, plugin: Plugin) -> None:
        """
        Add a plug-in, and start it if the daemon is running already.
        """
        plugin.register_metrics(self._metrics)
        self._plugins.append(plugin)
        if self._is_running:
            plugin.start()

    def start(self) -> None:
        self._is_running = True
        for plugin in self._plugins:
            plugin.start()

    async def stop(self) -> None:
        """
        Stop all plug-ins, the last first.
        """
        self._is_running = False
        for plugin in reversed(self._plugins):
            await plugin.stop()

    def sweep(self) -> None:
        """
        Let each plug-in do what is due.
        """
        for plugin in self._plugins:
            with self._log.failuresHandled("sweeping {plugin}", plugin=plugin.name):
                plugin.sweep()

    async def drain(self, limit_s: float) -> None:
        """
        Let all plug-ins finish, at most for this time.
        """
        await DeferredList([plugin.drain(limit_s) for plugin in self._plugins])

    def status(self) -> dict[str, Mapping[str, int]]:
        """
        Return the counts of each plug-in by its name.
        """
        return {plugin.name: plugin.status() for plugin in self._plugins}
