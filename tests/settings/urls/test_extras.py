"""
The extras of the distribution: backends that need not be installed.
"""

from __future__ import annotations

import configparser
import re

from tests.settings.files import Folder
from tests.syntax import ROOT
from wsmsg.settings.urls.extras import EXTRAS, check_extra


def nothing(name: str) -> None:
    """
    Find no library.
    """


class ExtraTests(Folder):
    """
    The libraries of an extra.
    """

    def test_installed(self) -> None:
        """
        A backend whose libraries are there is accepted.
        """
        for name in EXTRAS:
            check_extra(name)

    def test_missing(self) -> None:
        """
        A backend whose library is missing is refused with the command that installs
        it.
        """
        refused = self.assertRaises(ValueError, check_extra, "kafka", nothing)
        self.assertEqual(
            str(refused),
            "needs the extra kafka: pip install 'wsmsg[kafka]' (confluent_kafka is not "
            "installed)",
        )
        refused = self.assertRaises(ValueError, check_extra, "mongo", nothing)
        self.assertIn("txmongo and pymongo are not installed", str(refused))

    def test_declared(self) -> None:
        """
        The extras are those of setup.cfg, and each names its libraries there.
        """
        parser = configparser.ConfigParser()
        parser.read(ROOT / "setup.cfg")
        declared = parser["options.extras_require"]
        self.assertEqual({*declared} - {"all", "dev", "fast"}, {*EXTRAS})
        for name, libraries in EXTRAS.items():
            for library in libraries:
                pattern = rf"(?m)^{library.replace('_', '-')} "
                self.assertTrue(re.search(pattern, declared[name]), library)
