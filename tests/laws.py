"""
The laws of the tree, read from its syntax.

Each law is a function from modules to L{Fault}s; C{test_laws.py} holds the tree
against all of them, and shows for each that it can find something.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent

LINES = 400

#: What a module may never import directly: who, what, why.
FORBIDDEN: tuple[tuple[str, str, str], ...] = (
    ("wsmsg.connect.*", "wsmsg.message", "the daemons meet on the wire only"),
    ("wsmsg.message.*", "wsmsg.connect", "the daemons meet on the wire only"),
    ("wsmsg.*", "wsmsg.connect.tap", "only twistd loads a tap"),
    ("wsmsg.*", "wsmsg.message.tap", "only twistd loads a tap"),
)

#: Who alone may import what.
RESERVED: dict[str, tuple[str, ...]] = {
    "wsmsg.connect": ("wsmsg.connect.*", "wsmsg.cli.*", "wsmsg.bench.*"),
    "wsmsg.message": (
        "wsmsg.message.*",
        "wsmsg.transfer.*",
        "wsmsg.cli.*",
        "wsmsg.bench.*",
    ),
    "wsmsg.cli": ("wsmsg.cli.*",),
    "wsmsg.bench": ("wsmsg.bench.*", "wsmsg.cli.*"),
    "twisted.internet.reactor": (
        "wsmsg.connect.tap",
        "wsmsg.message.tap",
        "wsmsg.cli.*",
        "wsmsg.bench.*",
    ),
}

#: Clients of third parties (and of files), each with the modules that know it.
FAMILIES: dict[str, tuple[str, ...]] = {
    "sqlite3": ("wsmsg.sqlite.*", "wsmsg.message.journal.*", "wsmsg.message.store.*"),
    "autobahn": ("wsmsg.connect.websocket.*", "wsmsg.bench.floor"),
    "txaio": ("wsmsg.connect.websocket.*", "wsmsg.bench.floor"),
    "websockets": ("wsmsg.client.*", "wsmsg.bench.*"),
    "jwt": ("wsmsg.auth.*", "wsmsg.cli.*", "wsmsg.bench.*"),
    "cryptography": ("wsmsg.settings.public_key", "wsmsg.auth.*"),
    "prometheus_client": ("wsmsg.monitoring.metrics",),
    "click": ("wsmsg.cli.*",),
    "prompt_toolkit": ("wsmsg.cli.*",),
    "grpc": (
        "wsmsg.stream.*",
        "wsmsg.connect.edge.rpc",
        "wsmsg.connect.upstream.*",
        "wsmsg.message.rpc",
        "wsmsg.message.links.stream",
        "wsmsg.message.legacy.stream",
    ),
    "grpc_health": ("wsmsg.stream.server", "wsmsg.monitoring.grpc_health"),
    "grpc_reflection": ("wsmsg.stream.server",),
    "txmongo": ("wsmsg.message.store.mongo.*",),
    "pymongo": ("wsmsg.message.store.mongo.*", "wsmsg.settings.urls.mongo"),
    "bson": ("wsmsg.message.store.mongo.*",),
    "OpenSSL": ("wsmsg.message.store.mongo.*",),
    "txredisapi": ("wsmsg.redis.*",),
    "confluent_kafka": ("wsmsg.message.journal.kafka.*",),
}

#: What any module may use.
COMMON = {
    "attrs",
    "automat",
    "google",
    "msgspec",
    "pydantic",
    "twisted",
    "typing_extensions",
    "zope",
}

#: Modules that decide and do no I/O, whatever they import on the way.
PURE = (
    "wsmsg.model",
    "wsmsg.protocol.frames",
    "wsmsg.errors",
    "wsmsg.connect.session.session",
    "wsmsg.connect.session.outbox",
    "wsmsg.connect.session.registry",
    "wsmsg.message.delivery.numbering",
    "wsmsg.message.links.routes",
    "wsmsg.message.store.read_ranges",
    "wsmsg.message.queries.recent",
)

IMPURE = (
    "autobahn",
    "grpc",
    "txmongo",
    "txredisapi",
    "confluent_kafka",
    "sqlite3",
    "twisted.internet.reactor",
)


class Fault(NamedTuple):
    """
    A place where a law is broken.
    """

    path: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.reason}"


class Module(NamedTuple):
    """
    A module of the tree.

    @ivar name: dotted; a package's is its own, without C{__init__}.
    """

    name: str
    path: str
    source: str
    tree: ast.Module


class Import(NamedTuple):
    """
    One name that a module imports, as C{a.b} for C{from a import b}.
    """

    name: str
    line: int


Law = Callable[[list[Module]], Iterator[Fault]]


def parsed(name: str, source: str, path: str = "") -> Module:
    """
    A module of some source.
    """
    path = path or name.replace(".", "/") + ".py"
    return Module(name, path, source, ast.parse(source, path))


def modules_in(*folders: str) -> list[Module]:
    """
    All modules below folders of the tree but the generated ones.
    """
    found = []
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if parts[:2] == ("wsmsg", "rpc"):
                continue
            name = ".".join(p for p in parts if p != "__init__")
            found.append(parsed(name, path.read_text(), str(path.relative_to(ROOT))))
    return found


def imports_of(module: Module) -> Iterator[Import]:
    """
    What it imports anywhere when it runs; what only type checkers see is left out.
    """
    unseen = {
        id(inner)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(module.tree):
        if id(node) in unseen:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield Import(f"{node.module}.{alias.name}", node.lineno)


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def matches(name: str, patterns: Iterable[str]) -> bool:
    """
    Whether a module is one of these; C{a.*} is the package C{a} as well.
    """
    return any(fnmatchcase(name, p) or f"{name}.*" == p for p in patterns)


def law_of_imports(modules: list[Module]) -> Iterator[Fault]:
    """
    Nobody imports what is forbidden to them, or reserved for others.
    """
    for module in modules:
        for name, line in imports_of(module):
            for who, what, why in FORBIDDEN:
                if matches(module.name, [who]) and within(name, what):
                    yield Fault(module.path, line, f"imports {name}: {why}")
            for what, owners in {**RESERVED, **FAMILIES}.items():
                if within(name, what) and not matches(module.name, owners):
                    reason = f"imports {name}, which only {' '.join(owners)} may"
                    yield Fault(module.path, line, reason)


def law_of_known_libraries(modules: list[Module]) -> Iterator[Fault]:
    """
    A library that is new here gets its place first.
    """
    known = {*COMMON, *FAMILIES, *sys.stdlib_module_names, "wsmsg", "__future__"}
    for module in modules:
        for name, line in imports_of(module):
            if name.partition(".")[0] not in known:
                reason = f"imports {name}, which has no place in tests/laws.py"
                yield Fault(module.path, line, reason)


def law_of_purity(modules: list[Module]) -> Iterator[Fault]:
    """
    What decides reaches no I/O, through whatever it imports; the client no Twisted.
    """
    by_name = {m.name: m for m in modules}
    for module in modules:
        if module.name in PURE:
            yield from _reached(module, IMPURE, by_name)
        elif matches(module.name, ["wsmsg.client.*"]):
            yield from _reached(module, ("twisted",), by_name)


def _reached(
    start: Module, forbidden: tuple[str, ...], by_name: dict[str, Module]
) -> Iterator[Fault]:
    ways: list[tuple[Module, str]] = [(start, start.name)]
    seen = {start.name}
    while ways:
        module, way = ways.pop()
        for name, line in imports_of(module):
            if any(within(name, f) for f in forbidden):
                yield Fault(module.path, line, f"{way} reaches {name}")
            inner = by_name.get(name) or by_name.get(name.rpartition(".")[0])
            if inner is not None and inner.name not in seen:
                seen.add(inner.name)
                ways.append((inner, f"{way} -> {inner.name}"))


def law_of_length(modules: list[Module]) -> Iterator[Fault]:
    """
    No module is longer than a reader can hold.
    """
    for module in modules:
        count = len(module.source.splitlines())
        if count > LINES:
            yield Fault(module.path, LINES + 1, f"{count} lines; at most {LINES}")


def law_of_docstrings(modules: list[Module]) -> Iterator[Fault]:
    """
    Each module and each public class says what it is, and each test what a user
    sees.  Frames are told in C{docs/protocol.md} instead.
    """
    for module in modules:
        empty_folder = not module.tree.body and module.name.startswith("tests.")
        if not ast.get_docstring(module.tree) and not empty_folder:
            yield Fault(module.path, 1, "has no docstring")
        for node in ast.walk(module.tree):
            if not _needs_docstring(module, node):
                continue
            assert isinstance(
                node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
            )
            if not ast.get_docstring(node):
                yield Fault(module.path, node.lineno, f"{node.name} has no docstring")


def _needs_docstring(module: Module, node: ast.AST) -> bool:
    if isinstance(node, ast.ClassDef):
        public = node in module.tree.body and not node.name.startswith("_")
        frame = any(isinstance(b, ast.Name) and b.id == "Frame" for b in node.bases)
        return public and not (frame and module.name == "wsmsg.protocol.frames")
    return (
        isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and module.name.rpartition(".")[2].startswith("test_")
        and node.name.startswith("test_")
    )


def law_of_waiting(modules: list[Module]) -> Iterator[Fault]:
    """
    Nobody sleeps, and nobody patches what could be passed in.
    """
    for module in modules:
        for name, line in imports_of(module):
            if name == "time.sleep":
                yield Fault(module.path, line, "imports time.sleep")
            if within(name, "unittest.mock") or within(name, "mock"):
                yield Fault(module.path, line, f"imports {name}")
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                dotted = f"{node.value.id}.{node.attr}"
                if dotted in ("time.sleep", "mock.patch"):
                    yield Fault(module.path, node.lineno, f"uses {dotted}")


LAWS_OF_PACKAGE: tuple[Law, ...] = (
    law_of_imports,
    law_of_known_libraries,
    law_of_purity,
)
LAWS_OF_ALL: tuple[Law, ...] = (law_of_length, law_of_docstrings, law_of_waiting)
