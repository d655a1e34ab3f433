"""
Tests that the documents agree with the code.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from difflib import unified_diff
from itertools import chain
from pathlib import Path
from typing import get_args

import attrs
import msgspec
from google.protobuf import text_format
from google.protobuf.message import Message
from twisted.trial.unittest import SynchronousTestCase

from tests.integration.documents.options import mistakes
from tests.integration.documents.pages import commands, inline_commands, pages
from tests.integration.documents.table import NOT_TYPED, TYPED, TYPED_PAGES
from tools import make_tables
from tools.metric_rows import metric_rows
from tools.schemas.__main__ import stale
from wsmsg.protocol import client_pb2, frames
from wsmsg.protocol.frames import ClientFrame, ServerFrame
from wsmsg.protocol.json import JsonCodec
from wsmsg.protocol.protobuf import ProtobufCodec

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
DECISIONS = DOCS / "decisions"
PROTOCOL = DOCS / "reference" / "protocol.md"
SETTINGS = DOCS / "reference" / "settings.md"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
#: The pages about this version; the list of changes names what is gone, too.
OF_THIS_VERSION = [page for page in PAGES if page.name != "CHANGELOG.md"]

_EXAMPLE = re.compile(r"```json\n(.*?)```\n```textproto\n(.*?)```", re.S)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PATH = re.compile(r"`((?:wsmsg|tests|tools|docs|deploy|protos)/[\w./@-]+)`")
_FUNCTION = re.compile(r"`([\w/]+\.py):([\w.]+)`")
_KEY = re.compile(
    r"`((?:http|http\.token|kafka|legacy|limits|log|retry|token|upstream)\.[a-z_]+)`"
)
_RENAMED = "## Renamed metrics"
_METRIC = re.compile(
    r"`(wsmsg_(?:alarm|certificate|connect|dependency|log|message|peer|ready|tls)\w*)\b(?!\*)"
)
_DECISION = re.compile(
    r"# (\d+)\. (.+)\n\nStatus: (.+)\n\n"
    r"## Context\n\n.+\n\n## Decision\n\n.+\n\n## Consequences\n\n.+",
    re.S,
)
_DECISION_ROW = re.compile(r"^\| (\d+) \| \[(.+?)\]\((.+?)\) \| (.+) \|$", re.M)


def examples() -> Iterator[tuple[bool, bytes, Message]]:
    """
    Return the example frames of the protocol page.

    @return: for each, whether the client sends it, its JSON, and its protobuf.
    """
    text = PROTOCOL.read_text()
    sent, received = text.split("\n## Frames from the server\n")
    for by_client, part in ((True, sent), (False, received)):
        for as_json, as_text in _EXAMPLE.findall(part):
            made = client_pb2.ClientFrame() if by_client else client_pb2.ServerFrame()
            text_format.Parse(as_text, made)
            yield by_client, as_json.encode(), made


def anchors(page: Path) -> set[str]:
    """
    Return the anchors that GitHub makes of a page's headings.
    """
    found = set()
    for heading in re.findall(r"^#+ (.*)$", page.read_text(), re.M):
        plain = re.sub(r"[^\w\- ]", "", heading.lower())
        found.add(plain.replace(" ", "-"))
    return found


def broken_links(page: Path, base: Path) -> Iterator[str]:
    """
    Return the links of a page that lead to no file, or to no heading.

    @param base: the folder that they start from.
    """
    for link in _LINK.findall(page.read_text()):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (base / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield f"{page.name}: {link}"


def defined_in(name: str) -> set[str]:
    """
    Return the functions, classes and methods that a file below C{wsmsg} defines.
    """
    path = ROOT / "wsmsg" / name
    if not path.exists():
        return set()
    tree = ast.parse(path.read_text())
    found = _functions_of(tree)
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found.add(node.name)
            found |= {f"{node.name}.{method}" for method in _functions_of(node)}
    return found


def _functions_of(scope: ast.Module | ast.ClassDef) -> set[str]:
    return {
        node.name
        for node in scope.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


class TableTests(SynchronousTestCase):
    """
    Tables that repeat the code.
    """

    def test_tables(self) -> None:
        """
        Tables of errors, close codes and settings match the code, and each row is
        explained.
        """
        for page in sorted(make_tables.DOCS.rglob("*.md")):
            text = page.read_text()
            lines = (text.splitlines(), make_tables.regenerated(text).splitlines())
            differences = unified_diff(*lines, page.name, "make docs", lineterm="", n=0)
            self.assertEqual("\n".join(differences), "")
            self.assertEqual(make_tables.undescribed(text), [], page.name)

    def test_all_tables_are_somewhere(self) -> None:
        """
        Each table is on one page.
        """
        pages = "".join(p.read_text() for p in make_tables.DOCS.rglob("*.md"))
        for name in make_tables.TABLES:
            self.assertEqual(pages.count(f"<!-- table: {name} -->"), 1, name)

    def test_drift_is_seen(self) -> None:
        """
        A default that differs from the code is found, and so is a row without an
        explanation.
        """
        page = make_tables.regenerated("<!-- table: message -->\n<!-- end -->")
        self.assertIn("| `page` | `200` |", page)
        self.assertEqual(make_tables.regenerated(page.replace("`200`", "`2`")), page)
        self.assertIn("| `page` |", "\n".join(make_tables.undescribed(page)))


class SchemaTests(SynchronousTestCase):
    """
    Schemas that repeat the code.
    """

    def test_current(self) -> None:
        """
        C{openapi.json} and C{asyncapi.yaml} are what C{make docs} writes.
        """
        self.assertEqual(stale(), [])


class ProtocolTests(SynchronousTestCase):
    """
    The page for authors of clients.
    """

    def test_both_spellings(self) -> None:
        """
        Each example is one frame, the same in JSON and in protobuf.
        """
        for by_client, as_json, message in examples():
            codecs = (JsonCodec(), ProtobufCodec())
            data = (as_json, message.SerializeToString())
            both = [
                codec.decode(d) if by_client else codec.decode_server(d)
                for codec, d in zip(codecs, data, strict=True)
            ]
            self.assertEqual(both[0], both[1], as_json.decode())

    def test_every_frame(self) -> None:
        """
        Every frame has an example.
        """
        shown: tuple[set[str], set[str]] = (set(), set())
        for by_client, as_json, _ in examples():
            shown[by_client].add(msgspec.json.decode(as_json)["type"])
        for by_client, union in ((True, ClientFrame), (False, ServerFrame)):
            names = {frame.__struct_config__.tag for frame in get_args(union)}
            self.assertEqual(names, shown[by_client])

    def test_every_field(self) -> None:
        """
        Each field of each frame is shown or named on the page.
        """
        text = PROTOCOL.read_text()
        for union in (ClientFrame, ServerFrame):
            for frame in (*get_args(union), frames.Limits, frames.Head):
                for field in msgspec.structs.fields(frame):
                    self.assertRegex(text, rf"\b{field.encode_name}\b")


class PythonTests(SynchronousTestCase):
    """
    The examples in Python.
    """

    def test_examples(self) -> None:
        """
        The examples compile, their imports exist, and the classes that they match on
        have the fields that they name.
        """
        found = 0
        for page in PAGES:
            for code in re.findall(r"```python\n(.*?)```", page.read_text(), re.S):
                found += 1
                names: dict[str, object] = {"__name__": page.name}
                exec(compile(code, page.name, "exec"), names)
                for node in ast.walk(ast.parse(code)):
                    if isinstance(node, ast.MatchClass):
                        assert isinstance(node.cls, ast.Name)
                        fields = attrs.fields_dict(names[node.cls.id])  # type: ignore[arg-type]
                        self.assertEqual(set(node.kwd_attrs) - set(fields), set())
        self.assertGreater(found, 0)


class LinkTests(SynchronousTestCase):
    """
    The links between the pages.
    """

    def test_links(self) -> None:
        """
        Each link within the tree leads to a file and a heading that exist.
        """
        broken = [link for page in PAGES for link in broken_links(page, page.parent)]
        self.assertEqual(broken, [])

    def test_links_of_fragments(self) -> None:
        """
        So does each link in a news fragment, from the list of changes in which the
        fragment ends up.
        """
        fragments = sorted((ROOT / "newsfragments").glob("*.md"))
        broken = [link for page in fragments for link in broken_links(page, ROOT)]
        self.assertEqual(broken, [])


class NameTests(SynchronousTestCase):
    """
    The files, packages and settings that the pages name.
    """

    def test_paths(self) -> None:
        """
        Each file or package that a page names is in the tree.
        """
        missing = []
        for page in OF_THIS_VERSION:
            for name in _PATH.findall(page.read_text()):
                if not (ROOT / name).exists():
                    missing.append(f"{page.name}: {name}")
        self.assertEqual(missing, [])

    def test_functions(self) -> None:
        """
        Each function and class that a page names by its file is defined there.
        """
        named = {
            name
            for page in OF_THIS_VERSION
            for name in _FUNCTION.findall(page.read_text())
        }
        self.assertGreater(len(named), 20)
        missing = [f"{f}:{name}" for f, name in named if name not in defined_in(f)]
        self.assertEqual(sorted(missing), [])

    def test_settings(self) -> None:
        """
        Each setting that a page names is in the tables of settings.
        """
        tables = SETTINGS.read_text()
        known = set(re.findall(r"^\| `([\w.]+)` \|", tables, re.M))
        named = {
            key for page in OF_THIS_VERSION for key in _KEY.findall(page.read_text())
        }
        others = {"limits.unnumbered", "token.key"}  # a field of welcome, and a file
        self.assertEqual(sorted(named - known - others), [])

    def test_metrics(self) -> None:
        """
        Each metric that a page names is one that a daemon has, but for the old names
        in the table of renamed ones, which no daemon has.
        """
        known = {row.name for row in metric_rows()}
        texts = [page.read_text() for page in OF_THIS_VERSION]
        table = (DOCS / "how-to" / "upgrade.md").read_text().split(_RENAMED)[1]
        cells = re.findall(r"^\| (`wsmsg_[^|]*) \|", table, re.M)
        old = {name for cell in cells for name in _METRIC.findall(cell)}
        self.assertGreater(len(old), 3)
        named = {name for text in texts for name in _METRIC.findall(text)}
        self.assertEqual(sorted(named - known), sorted(old))


class CommandTests(SynchronousTestCase):
    """
    The commands of the pages; those in the table are typed by an integration test.
    """

    def test_every_command(self) -> None:
        """
        Each command in a block of a page is typed by a test, or has a reason why not.
        """
        shown = {(c.page, c.text) for c in commands() if c.page not in TYPED_PAGES}
        typed = {(page, text) for page, texts in TYPED.items() for text in texts}
        self.assertEqual({text for _, text in shown - typed}, set(NOT_TYPED))
        self.assertEqual(typed - shown, set())

    def test_not_typed(self) -> None:
        """
        The options, targets and paths of the commands that are not typed, and of those
        within lines, exist.
        """
        inline = chain.from_iterable(map(inline_commands, pages()))
        texts = {*NOT_TYPED, *(c.text for c in inline if "..." not in c.text)}
        found = {text: mistakes(text) for text in texts}
        self.assertEqual({text: m for text, m in found.items() if m}, {})

    def test_mistakes(self) -> None:
        """
        An option, a target, a unit and a path that do not exist are found.
        """
        for wrong in (
            "wsmsg status --yaml",
            "wsmsg nothing",
            "twistd -n connect --bogus=1",
            "make nothing",
            "make demo TWICE=1",
            "python -m tools.nothing",
            "cd deploy/nothing",
            "docker compose up --scale nothing=2",
            "systemctl stop nothing@1",
        ):
            self.assertEqual(len(mistakes(wrong)), 1, wrong)


class DecisionTests(SynchronousTestCase):
    """
    The records of decisions.
    """

    def test_form(self) -> None:
        """
        Each record has a number, a title, a status, its context, the decision and its
        consequences, and the index lists exactly these numbers, titles and statuses.
        """
        found = []
        for page in sorted(DECISIONS.glob("[0-9]*.md")):
            record = _DECISION.fullmatch(page.read_text())
            assert record is not None, page.name
            number, title, status = record.groups()
            self.assertEqual(page.name[:5], f"{int(number):04}-")
            found.append((number, title, page.name, status[0].lower() + status[1:]))
        index = (DECISIONS / "README.md").read_text()
        self.assertEqual(_DECISION_ROW.findall(index), found)
        # A number may belong to a record that is still being written.
        numbers = [int(row[0]) for row in found]
        self.assertEqual(numbers, sorted(set(numbers)))

    def test_superseded(self) -> None:
        """
        A superseded record and the one that supersedes it name each other.
        """
        texts = {page.name: page.read_text() for page in DECISIONS.glob("[0-9]*.md")}
        links = re.compile(r"(superseded by|supersedes) \[\d+\]\((.+?)\)", re.I)
        found = {}
        for name, text in texts.items():
            (status,) = re.findall(r"^Status: .*", text, re.M)
            for word, other in links.findall(status):
                found[name, other] = word.lower()
        self.assertGreater(len(found), 0)
        for (name, other), word in found.items():
            pair = {word, found.get((other, name))}
            self.assertEqual(pair, {"superseded by", "supersedes"}, name)
