"""
The public names of the client, as an editor and C{help()} show them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

import wsmsg_client
from wsmsg_client import sync, testing

#: The marks of epytext.
EPYTEXT = re.compile(r"\b[BCILU]\{|^\s*@\w+", re.M)


def described() -> Iterator[tuple[str, object]]:
    """
    Yield the public classes, and their public methods and properties.
    """
    for module in (wsmsg_client, sync, testing):
        yield module.__name__, module
        for name, found in vars(module).items():
            if name.startswith("_") or not inspect.isclass(found):
                continue
            if found.__module__.startswith("wsmsg"):
                yield name, found
                for part, member in inspect.getmembers(found):
                    if not part.startswith("_") and (
                        inspect.isroutine(member) or isinstance(member, property)
                    ):
                        yield f"{name}.{part}", member


class DocstringTests(SynchronousTestCase):
    """
    The descriptions of public names.
    """

    def test_there(self) -> None:
        """
        Each public class and method is described.
        """
        named = dict(described())
        self.assertIn("Client.reply", named)
        self.assertIn("FakeServer.deliver", named)
        bare = [name for name, found in named.items() if not inspect.getdoc(found)]
        self.assertEqual(bare, [])

    def test_markdown(self) -> None:
        """
        No description has marks of epytext, which editors show as they stand.
        """
        found = [
            name
            for name, one in described()
            if EPYTEXT.search(inspect.getdoc(one) or "")
        ]
        self.assertEqual(found, [])
