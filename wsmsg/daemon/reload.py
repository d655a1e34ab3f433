"""
Reload of the settings while the daemon runs.

Each part of the daemon that uses live settings registers its C{apply_settings}; a part
passes the settings on to the parts inside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from twisted.logger import Logger

from wsmsg.auth.reread import FileRead, describe
from wsmsg.settings.keys import describe_changes, with_live_changes
from wsmsg.settings.mistakes import SettingsMistakes
from wsmsg.settings.values import Common

S = TypeVar("S", bound=Common)


class Reload(Generic[S]):
    """
    The current settings, and the parts that apply changed ones.  A reload applies all
    changes, or none if the new settings have mistakes.

    @ivar settings: the current settings.
    @param load: reads the settings again.
    """

    _log = Logger()

    def __init__(self, settings: S, load: Callable[[], S]) -> None:
        self.settings = settings
        self._load = load
        self._parts: list[Callable[[S], object]] = []
        self._files: list[Callable[[], Sequence[FileRead]]] = []

    def add(self, apply_settings: Callable[[S], object]) -> None:
        """
        Register a part.

        @param apply_settings: called with the new settings; keys that need a restart
            keep their old values in these.
        """
        self._parts.append(apply_settings)

    def add_files(self, read: Callable[[], Sequence[FileRead]]) -> None:
        """
        Register a part that has files which the settings do not show.

        @param read: called at each reload, after changed settings are applied; returns
            what it has read.
        """
        self._files.append(read)

    def __call__(self) -> bool:
        """
        Read the settings and have all parts apply them.  Mistakes, and changed keys
        that need a restart, are logged.

        @return: whether there were no mistakes.
        """
        try:
            new = self._load()
        except SettingsMistakes as e:
            for mistake in e.mistakes:
                self._log.error("settings: {mistake}", mistake=str(mistake))
            self._log.error("the settings were not reloaded")
            return False
        changes = describe_changes(self.settings, new)
        for key in changes.needs_restart:
            self._log.warn("settings: {key} changes only with a restart", key=key)
        if changes.live:
            self.settings = with_live_changes(self.settings, new)
            for apply_settings in self._parts:
                with self._log.failuresHandled("applying the settings"):
                    apply_settings(self.settings)
        files: list[FileRead] = []
        for read in self._files:
            with self._log.failuresHandled("reading files again"):
                files += read()
        self._log.info(
            "settings reloaded; changed: {changed}{files}",
            changed=", ".join(changes.live) or "nothing",
            files=describe(files),
        )
        return True
