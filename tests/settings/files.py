"""
Settings files for tests.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import TestCase

from wsmsg.settings.mistakes import SettingsMistakes
from wsmsg.settings.sources import Sources, load_settings
from wsmsg.settings.values import Common, ConnectSettings


class Folder(TestCase):
    """
    Tests with files.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def file(self, text: str, name: str = "wsmsg.toml") -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def mistakes(
        self, sources: Sources, settings_type: type[Common] = ConnectSettings
    ) -> list[str]:
        """
        The mistakes as texts, without the name of the folder.
        """
        refused = self.assertRaises(
            SettingsMistakes, load_settings, settings_type, sources
        )
        return [str(m).replace(f"{self.folder}/", "") for m in refused.mistakes]

    def in_file(
        self, text: str, settings_type: type[Common] = ConnectSettings
    ) -> list[str]:
        return self.mistakes(Sources(file=self.file(text)), settings_type)
