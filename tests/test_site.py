"""
Tests of the site that is built from the pages.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tools import make_site


class NavigationTests(SynchronousTestCase):
    """
    The pages in the navigation.
    """

    def test_every_page(self) -> None:
        """
        Each page is in the navigation of the site once.
        """
        self.assertEqual(make_site.navigation_mistakes(), [])

    def test_llms_text(self) -> None:
        """
        Each page in the navigation has a line in llms.txt, with its title and its first
        sentence.
        """
        sources = make_site.sources()
        texts = {place: path.read_text() for place, path in sources.items()}
        listed = make_site.llms_text(texts)
        for place in make_site.places_in(make_site.configuration()["nav"]):
            self.assertRegex(listed, rf"(?m)^- \[.+\]\({place}\): \S.+$")


class LinkTests(SynchronousTestCase):
    """
    The links of a page in the site.
    """

    def linked(self, text: str, place: str = "how-to/tls.md") -> str:
        return make_site.for_site(text, make_site.sources()[place], place)

    def test_pages(self) -> None:
        """
        A link from page to page stays, with its anchor.
        """
        text = "[keys](../reference/access.md#the-key-of-operators)"
        self.assertEqual(self.linked(text), text)

    def test_added_page(self) -> None:
        """
        A link to a page outside of the folder leads to its place in the site, and the
        links of that page lead back.
        """
        found = self.linked("[security](../../SECURITY.md#trust)")
        self.assertEqual(found, "[security](../project/security.md#trust)")
        found = self.linked("[TLS](docs/how-to/tls.md)", "project/security.md")
        self.assertEqual(found, "[TLS](../how-to/tls.md)")

    def test_source_file(self) -> None:
        """
        A link to a file of the program becomes text.
        """
        self.assertEqual(self.linked("[`auth`](../../wsmsg/auth)"), "`auth`")

    def test_code(self) -> None:
        """
        A block of code stays as it is.
        """
        text = "```js\ncalls[0](../../wsmsg)\n```\n"
        self.assertEqual(self.linked(text), text)


class LoadedTests(SynchronousTestCase):
    """
    The check that a built page loads nothing from another server.
    """

    def loaded(self, html: str) -> list[str]:
        folder = Path(tempfile.mkdtemp(prefix="wsmsg-test-"))
        self.addCleanup(shutil.rmtree, folder)
        (folder / "index.html").write_text(html)
        return make_site.loaded_from_elsewhere(folder)

    def test_elsewhere(self) -> None:
        """
        A script, a style and an image of another server are found.
        """
        for mark in (
            '<script async src="https://cdn.example/a.js">',
            '<link rel="stylesheet" href="//fonts.example/css">',
            '<img alt="" src=http://pictures.example/a.png>',
        ):
            self.assertEqual(self.loaded(mark), [f"index.html: {mark}"])

    def test_own(self) -> None:
        """
        The site's own files are let through, and so are links that a reader follows.
        """
        own = '<script src="../a.js"></script><a href="https://site.example/">more</a>'
        self.assertEqual(self.loaded(own), [])
