"""
Reading the settings again while the daemon runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from twisted.logger import Logger

from wsmsg.settings.changes import describe_changes, with_live_changes
from wsmsg.settings.mistakes import SettingsMistakes
from wsmsg.settings.values import Common

S = TypeVar("S", bound=Common)


class Reload(Generic[S]):
    """
    Puts new settings in use, all that are right or none.

    @ivar settings: those in use.
    @param load: reads them again.
    @param apply: is given the settings to use from now on: the new ones, but for
        those that need a restart, which are the old ones.
    """

    _log = Logger()

    def __init__(self, settings: S, load: Callable[[], S]) -> None:
        self.settings = settings
        self._load = load
        self._parts: list[Callable[[S], object]] = []

    def add(self, apply_settings: Callable[[S], object]) -> None:
        """
        Register a part of the daemon.
        """
        self._parts.append(apply_settings)

    def __call__(self) -> None:
        """
        Read them and use them.  Mistakes, and what waits for a restart, are logged.
        """
        try:
            new = self._load()
        except SettingsMistakes as e:
            for mistake in e.mistakes:
                self._log.error("settings: {mistake}", mistake=str(mistake))
            self._log.error("the settings were not reloaded")
            return
        changes = describe_changes(self.settings, new)
        for key in changes.needs_restart:
            self._log.warn("settings: {key} changes only with a restart", key=key)
        if changes.live:
            self.settings = with_live_changes(self.settings, new)
            for apply_settings in self._parts:
                with self._log.failuresHandled("applying the settings"):
                    apply_settings(self.settings)
        changed = ", ".join(changes.live) or "nothing"
        self._log.info("settings reloaded; changed: {changed}", changed=changed)
