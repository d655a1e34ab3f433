"""
Laws of the tree, read from its syntax.

Each law is a function from modules to L{Violation}s; C{test_laws.py} holds the tree
against all of them, and shows for each that it finds a sample that breaks it.
C{python -m tests.test_laws} prints every violation.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.syntax import (
    Module,
    imports_of,
    matches,
    modules_imported,
    within,
)

LINES, LINES_OF_FUNCTION = 400, 50
MODULES_IN_FOLDER = 15

_BASE = ("errors", "model", "names", "rpc", "text")
_SHARED = (
    *("auth", "daemon", "dependency", "events", "flow", "http", "legacy", "monitoring"),
    *("peers", "protocol", "redis", "settings", "sqlite", "stream", "tracing", *_BASE),
)

#: The other packages of C{wsmsg} that each package, or module, may import.
LAYERS: dict[str, tuple[str, ...]] = {
    "errors": (),
    "model": ("errors",),
    "names": ("errors", "model"),
    "events": ("errors", "model", "names", "protocol"),
    "protocol": ("errors", "model", "names"),
    "legacy": ("protocol", *_BASE),
    "flow": _BASE,
    "settings": _BASE,
    "dependency": ("settings", *_BASE),
    "auth": ("dependency", "settings", *_BASE),
    "peers": ("auth", "dependency", "monitoring", "settings", *_BASE),
    "stream": ("dependency", "flow", "peers", "settings", *_BASE),
    "redis": ("dependency", "settings", *_BASE),
    "sqlite": ("dependency", "settings", *_BASE),
    "http": ("auth", "flow", "settings", *_BASE),
    "monitoring": ("auth", "dependency", "http", "settings", *_BASE),
    "tracing": ("monitoring", "settings", *_BASE),
    "daemon": (
        *("auth", "dependency", "http", "monitoring", "settings", "tracing", *_BASE),
    ),
    "client": ("errors", "events", "model", "names", "protocol"),
    "wsmsg_client": ("client", "errors", "events", "model", "names", "protocol"),
    "connect": _SHARED,
    "message": _SHARED,
    "transfer": (
        *("message.store", "message.journal", "message.backends", "dependency"),
        *("events", "settings", "sqlite", *_BASE),
    ),
    "bench": ("client", "connect", "message", "transfer", *_SHARED),
    "prove": ("bench", "client", "connect", "message", "transfer", *_SHARED),
    "cli": ("bench", "prove", "client", "connect", "message", "transfer", *_SHARED),
}

#: Modules that put the parts of a daemon together, and so may see inside of packages.
ROOTS = (
    *("wsmsg.connect.tap", "wsmsg.connect.node"),
    *("wsmsg.message.tap", "wsmsg.message.node"),
    *("wsmsg.message.backends", "wsmsg.message.intake", "wsmsg.message.supervisor"),
)

#: Modules that twistd alone may load.
TAPS = ("wsmsg.connect.tap", "wsmsg.message.tap")

#: Packages that support the legacy system; only a tap imports them.
LEGACY = ("wsmsg.connect.legacy", "wsmsg.message.legacy", "wsmsg.legacy")

_LOADS = ("wsmsg.bench.*", "wsmsg.prove.*")
#: Libraries, each with the modules that may import it.
LIBRARIES: dict[str, tuple[str, ...]] = {
    "sqlite3": (
        *("wsmsg.sqlite.*", "wsmsg.message.journal.sqlite.*"),
        "wsmsg.message.store.sqlite.*",
    ),
    "autobahn": ("wsmsg.connect.websocket.*", "wsmsg.bench.floor"),
    "txaio": ("wsmsg.connect.websocket.*", "wsmsg.bench.floor"),
    "websockets": ("wsmsg.client.*", "wsmsg_client.*", *_LOADS),
    "jwt": ("wsmsg.auth.*", "wsmsg.cli.*", *_LOADS),
    "cryptography": ("wsmsg.settings.public_key", "wsmsg.auth.*"),
    "prometheus_client": ("wsmsg.monitoring.metrics", "wsmsg.monitoring.measures.*"),
    **dict.fromkeys(("click", "prompt_toolkit"), ("wsmsg.cli.*",)),
    "wcwidth": ("wsmsg.cli.chat.*",),
    "grpc": (
        *("wsmsg.stream.*", "wsmsg.peers.guard", "wsmsg.peers.channel"),
        *("wsmsg.connect.edge.rpc", "wsmsg.connect.upstream.*"),
        *("wsmsg.peers.tls", "wsmsg.message.rpc", "wsmsg.message.links.stream"),
        *("wsmsg.connect.legacy.upstream.*", "wsmsg.message.legacy.stream"),
    ),
    "grpc_health": ("wsmsg.stream.server", "wsmsg.monitoring.grpc_health"),
    "grpc_reflection": ("wsmsg.stream.server",),
    **dict.fromkeys(("bson", "txmongo"), ("wsmsg.message.store.mongo.*",)),
    "pymongo": ("wsmsg.message.store.mongo.*", "wsmsg.settings.urls.mongo"),
    "OpenSSL": ("wsmsg.message.store.mongo.*", "wsmsg.daemon.tls"),
    "txredisapi": ("wsmsg.redis.*",),
    "uvloop": ("wsmsg.daemon.reactor",),
    "opentelemetry": ("wsmsg.tracing.otlp",),
    "confluent_kafka": ("wsmsg.message.journal.kafka.*",),
}

#: Modules that may import the reactor; all others are given one.
REACTOR = {"twisted.internet.reactor": (*TAPS, "wsmsg.cli.*", "wsmsg.bench.*")}

#: Libraries that any module may import.
COMMON = {
    *("attrs", "automat", "google", "msgspec", "pydantic", "twisted"),
    *("typing_extensions", "zope"),
}

#: Modules that decide and do no I/O, whatever they import on the way.
PURE = (
    *("wsmsg.model", "wsmsg.names", "wsmsg.protocol.frames", "wsmsg.errors"),
    *("wsmsg.connect.session.session", "wsmsg.connect.session.outbox"),
    "wsmsg.connect.session.registry",
    "wsmsg.message.delivery.numbering",
    "wsmsg.message.links.routes",
    "wsmsg.message.store.read_ranges",
    "wsmsg.stream.spacing",
)

IMPURE = (
    *("autobahn", "grpc", "txmongo", "txredisapi", "confluent_kafka", "sqlite3"),
    "twisted.internet.reactor",
)

#: What a program gets that installs only the client, and what it must not need.
CLIENT = ("wsmsg.client.*", "wsmsg.events.*", "wsmsg.protocol.*", "wsmsg_client.*")
OF_THE_DAEMONS = ("automat", "grpc", "pydantic", "twisted", "wsmsg.rpc", "zope")


class Violation(NamedTuple):
    """
    A place where a law is broken.
    """

    path: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.reason}"


Law = Callable[[list[Module]], Iterator[Violation]]


def law_of_layers(modules: list[Module]) -> Iterator[Violation]:
    """
    Each package imports only packages below it; nobody but twistd loads a tap.
    """
    for module in modules:
        own = module.name.removeprefix("wsmsg.").partition(".")[0]
        for name, line in imports_of(module, types=True):
            if not name.startswith("wsmsg.") or name == "wsmsg.__version__":
                continue
            if any(within(name, tap) for tap in TAPS):
                yield Violation(module.path, line, f"imports {name}: twistd does that")
            below = (own, *LAYERS.get(own, ()))
            if not any(within(name, f"wsmsg.{b}") for b in below):
                yield Violation(module.path, line, f"imports {name}, not below {own}")


def law_of_legacy(modules: list[Module]) -> Iterator[Violation]:
    """
    Only a tap imports what supports the legacy system.
    """
    for module in modules:
        inside = any(within(module.name, package) for package in LEGACY)
        for name, line in imports_of(module, types=True):
            foreign = any(within(name, package) for package in LEGACY)
            if foreign and not inside and module.name not in TAPS:
                yield Violation(module.path, line, f"imports {name}: only a tap may")


def law_of_entries(modules: list[Module]) -> Iterator[Violation]:
    """
    Within a daemon a package is entered through its C{interface}.
    """
    by_name = {m.name: m for m in modules}
    for module in modules:
        if module.name in ROOTS or any(within(module.name, p) for p in LEGACY):
            continue
        for found, line in modules_imported(module, by_name):
            own, other = module.name.split("."), found.name.split(".")
            if own[1:2] != other[1:2] or own[1] not in ("connect", "message"):
                continue
            inside = len(other) > 3 - found.is_package and own[2:3] != other[2:3]
            if inside and other[-1] != "interface":
                reason = f"imports {found.name}, not the interface of its package"
                yield Violation(module.path, line, reason)


def law_of_cycles(modules: list[Module]) -> Iterator[Violation]:
    """
    No package imports one that imports it, by whatever way.
    """
    by_name = {m.name: m for m in modules}
    edges: dict[str, dict[str, tuple[Module, int]]] = defaultdict(dict)
    for module in modules:
        for found, line in modules_imported(module, by_name):
            if found.package != module.package:
                edges[module.package].setdefault(found.package, (module, line))
    for package in sorted(edges):
        for other, (module, line) in sorted(edges[package].items()):
            way = _way(other, package, edges)
            if way:
                reason = f"{package} imports {' which imports '.join(way)}"
                yield Violation(module.path, line, reason)


def _way(
    start: str, goal: str, edges: dict[str, dict[str, tuple[Module, int]]]
) -> list[str]:
    ways, seen = [[start]], {start}
    while ways:
        way = ways.pop(0)
        for package in sorted(edges.get(way[-1], ())):
            if package == goal:
                return [*way, goal]
            if package not in seen:
                seen.add(package)
                ways.append([*way, package])
    return []


def law_of_libraries(modules: list[Module]) -> Iterator[Violation]:
    """
    Each library is imported in its place only, and a new one gets its place first.
    """
    known = {*COMMON, *LIBRARIES, *sys.stdlib_module_names, "__future__"}
    known |= {"wsmsg", "wsmsg_client"}
    for module in modules:
        for name, line in imports_of(module):
            if name.partition(".")[0] not in known:
                reason = f"imports {name}, which has no place in tests/laws.py"
                yield Violation(module.path, line, reason)
            for library, owners in {**LIBRARIES, **REACTOR}.items():
                if within(name, library) and not matches(module.name, owners):
                    reason = f"imports {name}, which only {' '.join(owners)} may"
                    yield Violation(module.path, line, reason)


def law_of_purity(modules: list[Module]) -> Iterator[Violation]:
    """
    A module that decides reaches no I/O, through whatever it imports; the client
    reaches nothing of the daemons.
    """
    by_name = {m.name: m for m in modules}
    for module in modules:
        if module.name in PURE:
            yield from _reached(module, IMPURE, by_name)
        elif matches(module.name, CLIENT):
            yield from _reached(module, OF_THE_DAEMONS, by_name)


def _reached(
    start: Module, forbidden: tuple[str, ...], by_name: dict[str, Module]
) -> Iterator[Violation]:
    ways: list[tuple[Module, str]] = [(start, start.name)]
    seen = {start.name}
    while ways:
        module, way = ways.pop()
        for name, line in imports_of(module):
            if any(within(name, f) for f in forbidden):
                yield Violation(module.path, line, f"{way} reaches {name}")
            inner = by_name.get(name) or by_name.get(name.rpartition(".")[0])
            if inner is not None and inner.name not in seen:
                seen.add(inner.name)
                ways.append((inner, f"{way} -> {inner.name}"))


def law_of_folders(modules: list[Module]) -> Iterator[Violation]:
    """
    No folder has more modules than a reader can scan.
    """
    folders: dict[str, list[Module]] = defaultdict(list)
    for module in modules:
        if not module.is_package:
            folders[module.package].append(module)
    for package, inside in folders.items():
        if len(inside) > MODULES_IN_FOLDER:
            reason = f"{len(inside)} modules; at most {MODULES_IN_FOLDER}"
            yield Violation(package.replace(".", "/"), 1, reason)


def law_of_maps(modules: list[Module]) -> Iterator[Violation]:
    """
    The docstring of a package names each of its modules and packages, a line each.
    """
    packages = {m.name: m for m in modules if m.is_package}
    for module in modules:
        above, _, leaf = module.name.rpartition(".")
        if above not in packages:
            continue
        lines = (ast.get_docstring(packages[above].tree) or "").splitlines()
        entry = re.compile(rf"\s*{leaf}/?\s{{2,}}\S")
        if not any(map(entry.match, lines)):
            reason = f"its docstring does not list {leaf}"
            yield Violation(packages[above].path, 1, reason)


def law_of_class_names(modules: list[Module]) -> Iterator[Violation]:
    """
    A public class has a name of its own, unless it implements the same interface.
    """
    found: dict[str, list[tuple[Module, ast.ClassDef]]] = defaultdict(list)
    # The client without asyncio has the names of the other one.
    for module in (m for m in modules if m.name != "wsmsg_client.sync"):
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append((module, node))
    for name, places in found.items():
        shared = set.intersection(*(_roles(node) for _, node in places))
        for module, node in places[1:] if not shared else []:
            reason = f"{name} is a class of {places[0][0].name} too"
            yield Violation(module.path, node.lineno, reason)


_NO_ROLES = {"ABC", "Enum", "Exception", "IntEnum", "NamedTuple", "Protocol", "Struct"}


def _roles(node: ast.ClassDef) -> set[str]:
    given = [ast.unparse(b) for b in node.bases]
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and "implementer" in ast.dump(decorator):
            given += [ast.unparse(a) for a in decorator.args]
    return {g.rpartition(".")[2].partition("[")[0] for g in given} - _NO_ROLES


def law_of_roots(modules: list[Module]) -> Iterator[Violation]:
    """
    Composition roots are typed, and are read a screen at a time.
    """
    for module in modules:
        if module.name not in ROOTS:
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Name) and node.id == "Any":
                yield Violation(module.path, node.lineno, "says Any")
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                count = (node.end_lineno or node.lineno) - node.lineno + 1
                if count > LINES_OF_FUNCTION:
                    reason = f"{node.name}: {count} lines; at most {LINES_OF_FUNCTION}"
                    yield Violation(module.path, node.lineno, reason)


def law_of_length(modules: list[Module]) -> Iterator[Violation]:
    """
    No module is longer than a reader can hold.
    """
    for module in modules:
        count = len(module.source.splitlines())
        if count > LINES:
            yield Violation(module.path, LINES + 1, f"{count} lines; at most {LINES}")


def law_of_waiting(modules: list[Module]) -> Iterator[Violation]:
    """
    Nobody sleeps, and nobody patches what could be passed in.
    """
    for module in modules:
        for name, line in imports_of(module):
            if name == "time.sleep":
                yield Violation(module.path, line, "imports time.sleep")
            if within(name, "unittest.mock") or within(name, "mock"):
                yield Violation(module.path, line, f"imports {name}")
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                dotted = f"{node.value.id}.{node.attr}"
                if dotted in ("time.sleep", "mock.patch"):
                    yield Violation(module.path, node.lineno, f"uses {dotted}")


LAWS_OF_PACKAGE: tuple[Law, ...] = (
    law_of_layers,
    law_of_legacy,
    law_of_entries,
    law_of_cycles,
    law_of_libraries,
    law_of_purity,
    law_of_folders,
    law_of_maps,
    law_of_class_names,
    law_of_roots,
)
LAWS_OF_ALL: tuple[Law, ...] = (law_of_length, law_of_waiting)
