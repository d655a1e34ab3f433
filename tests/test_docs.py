"""
The documents say what the code does.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path
from typing import get_args

import attrs
import msgspec
from google.protobuf import text_format
from google.protobuf.message import Message
from twisted.trial.unittest import SynchronousTestCase

from tools import make_tables
from wsmsg.protocol import frames
from wsmsg.protocol.frames import ClientFrame, ServerFrame
from wsmsg.protocol.json import JsonCodec
from wsmsg.protocol.protobuf import ProtobufCodec
from wsmsg.rpc import client_pb2

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*"))]

_EXAMPLE = re.compile(r"```json\n(.*?)```\n```textproto\n(.*?)```", re.S)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def examples() -> Iterator[tuple[bool, bytes, Message]]:
    """
    The frames on the page of the protocol: whether a client says it, both spellings.
    """
    text = (ROOT / "docs" / "protocol.md").read_text()
    said, heard = text.split("\n## What the server says\n")
    for by_client, part in ((True, said), (False, heard)):
        for as_json, as_text in _EXAMPLE.findall(part):
            made = client_pb2.ClientFrame() if by_client else client_pb2.ServerFrame()
            text_format.Parse(as_text, made)
            yield by_client, as_json.encode(), made


def anchors(page: Path) -> set[str]:
    """
    What a link may name in a page, as GitHub makes it of headings.
    """
    found = set()
    for heading in re.findall(r"^#+ (.*)$", page.read_text(), re.M):
        plain = re.sub(r"[^\w\- ]", "", heading.lower())
        found.add(plain.replace(" ", "-"))
    return found


class TableTests(SynchronousTestCase):
    """
    The tables that repeat the code.
    """

    def test_tables(self) -> None:
        """
        Errors, close codes and settings are those of the code, each explained.
        """
        for page in sorted(make_tables.DOCS.glob("*.md")):
            text = page.read_text()
            lines = (text.splitlines(), make_tables.remade(text).splitlines())
            differences = unified_diff(*lines, page.name, "make docs", lineterm="", n=0)
            self.assertEqual("\n".join(differences), "")
            self.assertEqual(make_tables.unsaid(text), [], page.name)

    def test_all_tables_are_somewhere(self) -> None:
        """
        No table has been dropped from the pages.
        """
        pages = "".join(p.read_text() for p in make_tables.DOCS.glob("*.md"))
        for name in make_tables.TABLES:
            self.assertEqual(pages.count(f"<!-- table: {name} -->"), 1, name)

    def test_drift_is_seen(self) -> None:
        """
        A default that is not the code's, and a row that nobody explained, are seen.
        """
        page = make_tables.remade("<!-- table: message -->\n<!-- end -->")
        self.assertIn("| `page` | `200` |", page)
        self.assertEqual(make_tables.remade(page.replace("`200`", "`2`")), page)
        self.assertIn("| `page` |", "\n".join(make_tables.unsaid(page)))


class ProtocolTests(SynchronousTestCase):
    """
    The page for authors of clients.
    """

    def test_both_spellings(self) -> None:
        """
        Every example is one frame, the same in both spellings.
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
        Every field of every frame is shown or named on the page.
        """
        text = (ROOT / "docs" / "protocol.md").read_text()
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
        They are Python, what they import is there, and what they match has the fields
        that they name.
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
        Every link within the tree leads to a file and a heading that is there.
        """
        broken = []
        for page in PAGES:
            for link in _LINK.findall(page.read_text()):
                if "://" in link:
                    continue
                name, _, anchor = link.partition("#")
                target = (page.parent / name).resolve() if name else page
                if not target.exists() or (anchor and anchor not in anchors(target)):
                    broken.append(f"{page.name}: {link}")
        self.assertEqual(broken, [])
