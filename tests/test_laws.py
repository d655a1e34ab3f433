"""
The tree keeps its laws, and each law can find what breaks it.
"""

from __future__ import annotations

import re
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests import laws, laws_of_language, laws_of_objects
from tests.laws import Law, Violation
from tests.syntax import ROOT, Module, modules_in, parsed
from tools import make_rpc

FRAGMENT = r"\+?[\w-]+\.(feature|bugfix|doc|removal|misc)(\.\d+)?\.md"

#: Files with texts that people read, beside the modules.
TEXTS = ("*.md", "docs/**/*.md", "newsfragments/*.md", "deploy/**/*.*", "protos/**/*")


def texts() -> dict[str, str]:
    """
    Return the texts that people read, by path.
    """
    found = {p for pattern in TEXTS for p in ROOT.glob(pattern) if p.is_file()}
    return {str(p.relative_to(ROOT)): p.read_text() for p in sorted(found)}


def violations_of_tree() -> list[Violation]:
    """
    Return every violation in the tree as it is.
    """
    package = modules_in("wsmsg", "wsmsg_client")
    everything = [*package, *modules_in("tests", "tools", "twisted")]
    spoken = [m for m in everything if not m.name.startswith("tests.laws")]
    found = []
    for which, modules in (
        (laws.LAWS_OF_PACKAGE, package),
        (laws_of_objects.LAWS_OF_OBJECTS, package),
        (laws.LAWS_OF_ALL, everything),
        (laws_of_language.LAWS_OF_LANGUAGE, spoken),
    ):
        found += [v for law in which for v in law(modules)]
    return found + list(laws_of_language.retired_words_in(texts()))


class TreeTests(SynchronousTestCase):
    """
    The tree as it is.
    """

    def test_laws(self) -> None:
        """
        Package, tests, tools and texts keep every law.
        """
        self.assertGreater(len(modules_in("wsmsg", "tests")), 300)
        found = [str(violation) for violation in violations_of_tree()]
        if found:
            self.fail("\n" + "\n".join(found))

    def test_named_modules_exist(self) -> None:
        """
        No law holds for a name that has gone.
        """
        names = {m.name for m in modules_in("wsmsg", "wsmsg_client")}
        named = (*laws.PURE, *laws.ROOTS, *laws.TAPS, *laws.LEGACY)
        self.assertEqual([n for n in named if n not in names], [])
        layers = [n for n in laws.LAYERS if not names & {n, f"wsmsg.{n}"}]
        self.assertEqual(layers, [])

    def test_generated_code(self) -> None:
        """
        The generated code is what the protos make.
        """
        self.assertEqual(make_rpc.differences(), [], "run make protos")

    def test_fragments(self) -> None:
        """
        Every news fragment has a name from which its kind can be told.
        """
        names = [p.name for p in (ROOT / "newsfragments").glob("[!.]*")]
        self.assertEqual([n for n in names if not re.fullmatch(FRAGMENT, n)], [])


class LawTestCase(SynchronousTestCase):
    """
    Laws against samples.
    """

    def assert_finds(self, law: Law, *modules: Module, at: str) -> None:
        """
        Fail unless the law finds exactly one violation, at this place.
        """
        found = [f"{v.path}:{v.line}" for v in law(list(modules))]
        self.assertEqual(found, [at])

    def assert_keeps(self, law: Law, *modules: Module) -> None:
        """
        Fail if the law finds anything.
        """
        self.assertEqual([str(v) for v in law(list(modules))], [])


class ImportLawTests(LawTestCase):
    """
    Laws of imports against samples that break them, and samples that keep them.
    """

    def test_daemons_apart(self) -> None:
        """
        Connect does not import Message, even inside of a function.
        """
        source = "def f():\n    from wsmsg import message\n"
        bad = parsed("wsmsg.connect.x", source)
        self.assert_finds(laws.law_of_layers, bad, at="wsmsg/connect/x.py:2")

    def test_below(self) -> None:
        """
        A shared package does not import a daemon, for types neither.
        """
        source = "if TYPE_CHECKING:\n    from wsmsg.connect.node import A\n"
        bad = parsed("wsmsg.redis.x", source)
        self.assert_finds(laws.law_of_layers, bad, at="wsmsg/redis/x.py:2")
        good = parsed("wsmsg.redis.x", "from wsmsg.dependency.state import A\n")
        self.assert_keeps(laws.law_of_layers, good)

    def test_transfer(self) -> None:
        """
        Export and import know the stores of Message, and nothing else of it.
        """
        good = parsed("wsmsg.transfer.x", "from wsmsg.message.store.file import A\n")
        self.assert_keeps(laws.law_of_layers, good)
        bad = parsed("wsmsg.transfer.x", "from wsmsg.message.links.link import A\n")
        self.assert_finds(laws.law_of_layers, bad, at="wsmsg/transfer/x.py:1")

    def test_nobody_imports_tap(self) -> None:
        """
        A tap is imported by nobody, not even beside it.
        """
        bad = parsed("wsmsg.connect.x", "\nfrom wsmsg.connect.tap import Options\n")
        self.assert_finds(laws.law_of_layers, bad, at="wsmsg/connect/x.py:2")

    def test_legacy(self) -> None:
        """
        The core of a daemon does not import the support of the legacy system; a tap
        does.
        """
        source = "from wsmsg.connect.legacy.redis.setup import A\n"
        bad = parsed("wsmsg.connect.node", source)
        self.assert_finds(laws.law_of_legacy, bad, at="wsmsg/connect/node.py:1")
        tap = parsed("wsmsg.connect.tap", source)
        inside = parsed("wsmsg.connect.legacy.clients.x", source)
        self.assert_keeps(laws.law_of_legacy, tap, inside)

    def test_entries(self) -> None:
        """
        A package of a daemon is entered through its interface; a composition root
        sees everything.
        """
        link = parsed("wsmsg.message.links.link", "")
        interface = parsed("wsmsg.message.links.interface", "import os\n")
        source = "from wsmsg.message.links.link import Link\n"
        bad = parsed("wsmsg.message.queries.x", source)
        law = laws.law_of_entries
        self.assert_finds(law, link, interface, bad, at="wsmsg/message/queries/x.py:1")
        good = parsed(
            "wsmsg.message.queries.x", "from wsmsg.message.links.interface import A\n"
        )
        root = parsed("wsmsg.message.node", source)
        inside = parsed("wsmsg.message.links.x", source)
        self.assert_keeps(law, link, interface, good, root, inside)

    def test_cycles(self) -> None:
        """
        Two packages that import each other are found, be it within a function.
        """
        one = parsed("wsmsg.a.x", "import wsmsg.b.y\n")
        two = parsed("wsmsg.b.z", "def f():\n    import wsmsg.a.x\n")
        there = parsed("wsmsg.b.y", "")
        found = [f"{v.path}:{v.line}" for v in laws.law_of_cycles([one, two, there])]
        self.assertEqual(found, ["wsmsg/a/x.py:1", "wsmsg/b/z.py:2"])
        self.assert_keeps(laws.law_of_cycles, one, there)

    def test_reactor(self) -> None:
        """
        The reactor is imported in a tap and nowhere else.
        """
        source = "from twisted.internet import defer, reactor\n"
        bad = parsed("wsmsg.stream.endpoint", source)
        self.assert_finds(laws.law_of_libraries, bad, at="wsmsg/stream/endpoint.py:1")
        self.assert_keeps(laws.law_of_libraries, parsed("wsmsg.connect.tap", source))

    def test_libraries(self) -> None:
        """
        A library is known to its own package only.
        """
        bad = parsed("wsmsg.message.delivery.x", "import sqlite3\n")
        at = "wsmsg/message/delivery/x.py:1"
        self.assert_finds(laws.law_of_libraries, bad, at=at)

    def test_new_library(self) -> None:
        """
        A library that nobody has given a place is found.
        """
        bad = parsed("wsmsg.daemon.logs", "import json\nimport requests\n")
        self.assert_finds(laws.law_of_libraries, bad, at="wsmsg/daemon/logs.py:2")

    def test_types_only(self) -> None:
        """
        A library that only type checkers import is not used.
        """
        source = "if TYPE_CHECKING:\n    import grpc\n"
        self.assert_keeps(laws.law_of_libraries, parsed("wsmsg.model", source))

    def test_purity(self) -> None:
        """
        I/O is found behind a module that looks harmless.
        """
        session = parsed("wsmsg.connect.session.session", "from wsmsg.calm import f\n")
        calm = parsed("wsmsg.calm", "import os\nimport grpc.aio\n")
        self.assert_finds(laws.law_of_purity, session, calm, at="wsmsg/calm.py:2")

    def test_client_without_twisted(self) -> None:
        """
        The client works where Twisted does not run.
        """
        client = parsed("wsmsg.client.x", "import wsmsg.other\n")
        other = parsed("wsmsg.other", "import twisted.logger\n")
        self.assert_finds(laws.law_of_purity, client, other, at="wsmsg/other.py:1")


class ShapeLawTests(LawTestCase):
    """
    Laws of the shape of the tree against samples that break them.
    """

    def test_folders(self) -> None:
        """
        A folder of 15 modules is let through and one of 16 is not; a package in it
        does not count.
        """
        modules = [parsed(f"wsmsg.a.m{i}", "") for i in range(15)]
        inner = parsed("wsmsg.a.b", "", "wsmsg/a/b/__init__.py")
        self.assert_keeps(laws.law_of_folders, *modules, inner)
        another = parsed("wsmsg.a.last", "")
        self.assert_finds(laws.law_of_folders, *modules, another, at="wsmsg/a:1")

    def test_maps(self) -> None:
        """
        A module that its package does not list is found; each has a line of its own.
        """
        source = (
            '"""\nAll.\n\n    one   not two, which  is missing\n    b/    more\n"""\n'
        )
        package = parsed("wsmsg.a", source, "wsmsg/a/__init__.py")
        one, two = parsed("wsmsg.a.one", ""), parsed("wsmsg.a.two", "")
        inner = parsed("wsmsg.a.b", '"""D."""', "wsmsg/a/b/__init__.py")
        self.assert_keeps(laws.law_of_maps, package, one, inner)
        at = "wsmsg/a/__init__.py:1"
        self.assert_finds(laws.law_of_maps, package, one, two, inner, at=at)

    def test_class_names(self) -> None:
        """
        One name for two public classes is found, unless they have one role.
        """
        one = parsed("wsmsg.a", "class A(Protocol): ...\n")
        two = parsed("wsmsg.b", "\nclass A(Protocol): ...\nclass _B: ...\n")
        self.assert_finds(laws.law_of_class_names, one, two, at="wsmsg/b.py:2")
        source = "@implementer(ICodec)\nclass A: ...\nclass _B: ...\n"
        alike = parsed("wsmsg.c", source), parsed("wsmsg.d", source)
        self.assert_keeps(laws.law_of_class_names, *alike)

    def test_roots(self) -> None:
        """
        A composition root that says C{Any}, or has a long function, is found.
        """
        bad = parsed("wsmsg.connect.tap", "\ndef f() -> Any: ...\n")
        self.assert_finds(laws.law_of_roots, bad, at="wsmsg/connect/tap.py:2")
        for lines in (49, 50):
            source = "def f():\n" + "    x = 1\n" * lines
            root = parsed("wsmsg.message.node", source)
            if lines < 50:
                self.assert_keeps(laws.law_of_roots, root)
            else:
                self.assert_finds(laws.law_of_roots, root, at="wsmsg/message/node.py:1")

    def test_length(self) -> None:
        """
        A module of 400 lines is let through and one of 401 is not.
        """
        self.assert_keeps(laws.law_of_length, parsed("wsmsg.a", "x = 1\n" * 400))
        long = parsed("wsmsg.b", "x = 1\n" * 401)
        self.assert_finds(laws.law_of_length, long, at="wsmsg/b.py:401")

    def test_sleep(self) -> None:
        """
        Sleeping is found, however it is imported.
        """
        bad = parsed("tests.test_a", "import time\ntime.sleep(1)\n")
        self.assert_finds(laws.law_of_waiting, bad, at="tests/test_a.py:2")
        bad = parsed("tests.test_a", "from time import sleep\n")
        self.assert_finds(laws.law_of_waiting, bad, at="tests/test_a.py:1")

    def test_mock(self) -> None:
        """
        Patching is found, however it is imported.
        """
        bad = parsed("tests.test_a", "from unittest import mock\n")
        self.assert_finds(laws.law_of_waiting, bad, at="tests/test_a.py:1")


class LanguageLawTests(LawTestCase):
    """
    Laws of language against samples that break them.
    """

    def test_module_docstring(self) -> None:
        """
        A module without a docstring is found.
        """
        law = laws_of_language.law_of_docstrings
        self.assert_finds(law, parsed("wsmsg.a", "x = 1\n"), at="wsmsg/a.py:1")
        self.assert_finds(law, parsed("wsmsg.a", ""), at="wsmsg/a.py:1")
        self.assert_keeps(law, parsed("tests.a", ""))

    def test_class_docstring(self) -> None:
        """
        A public class without a docstring is found; a private one is let through.
        """
        bad = parsed("wsmsg.a", '"""D."""\n\nclass A: ...\n\nclass _B: ...\n')
        law = laws_of_language.law_of_docstrings
        self.assert_finds(law, bad, at="wsmsg/a.py:3")

    def test_test_docstring(self) -> None:
        """
        A test that does not say what a user sees is found.
        """
        source = (
            '"""D."""\nclass T:\n    """D."""\n    async def test_x(self): ...\n'
            "    def make(self): ...\n"
        )
        bad = parsed("tests.test_a", source)
        law = laws_of_language.law_of_docstrings
        self.assert_finds(law, bad, at="tests/test_a.py:4")

    def test_first_word(self) -> None:
        """
        A docstring that begins with a question word is found.
        """
        source = '"""Maps."""\n\ndef f():\n    """\n    What there is.\n    """\n'
        law = laws_of_language.law_of_first_words
        self.assert_finds(law, parsed("wsmsg.a", source), at="wsmsg/a.py:4")
        self.assert_keeps(law, parsed("wsmsg.a", '"""Whatever."""\n'))

    def test_retired_name(self) -> None:
        """
        A name of earlier days is found in code, and is let through as a word.
        """
        law = laws_of_language.law_of_retired_names
        bad = parsed("wsmsg.a", '"""We adopt."""\n\nx.adopt(1)\n')
        self.assert_finds(law, bad, at="wsmsg/a.py:3")

    def test_retired_word(self) -> None:
        """
        A word of earlier days is found in texts and within names.
        """
        law = laws_of_language.law_of_retired_words
        old = "Deploy" + "ed"
        for source in (f"# {old} peers\n", f"x_{old.lower()}_y = 1\n", f'"{old}A"\n'):
            bad = parsed("wsmsg.a", source)
            self.assert_finds(law, bad, at="wsmsg/a.py:1")
        self.assert_keeps(law, parsed("wsmsg.a", "# Deploy it, undeployedly\n"))


if __name__ == "__main__":
    everything_found = violations_of_tree()
    for violation in everything_found:
        print(violation)
    sys.exit(1 if everything_found else 0)
