"""
Modules of the tree as syntax trees, for the laws that read them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent


class Module(NamedTuple):
    """
    A module of the tree.

    @ivar name: dotted; a package has its own name, without C{__init__}.
    """

    name: str
    path: str
    source: str
    tree: ast.Module

    @property
    def is_package(self) -> bool:
        return self.path.endswith("__init__.py")

    @property
    def package(self) -> str:
        return self.name if self.is_package else self.name.rpartition(".")[0]


class Import(NamedTuple):
    """
    One name that a module imports, as C{a.b} for C{from a import b}.
    """

    name: str
    line: int


def parsed(name: str, source: str, path: str = "") -> Module:
    """
    Parse source text into a module.
    """
    path = path or name.replace(".", "/") + ".py"
    return Module(name, path, source, ast.parse(source, path))


def modules_in(*folders: str) -> list[Module]:
    """
    Return all modules below folders of the tree but the generated ones.
    """
    found = []
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if "_pb2" in path.name:
                continue
            name = ".".join(p for p in parts if p != "__init__")
            found.append(parsed(name, path.read_text(), str(path.relative_to(ROOT))))
    return found


def imports_of(module: Module, *, types: bool = False) -> Iterator[Import]:
    """
    Yield what a module imports anywhere, also inside of functions.

    @param types: whether imports under C{TYPE_CHECKING} count.
    """
    unseen = {
        id(inner)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
        if not types
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


def modules_imported(
    module: Module, by_name: dict[str, Module]
) -> Iterator[tuple[Module, int]]:
    """
    Yield the modules of the tree that a module imports, for types too, with the line.
    """
    for name, line in imports_of(module, types=True):
        found = by_name.get(name) or by_name.get(name.rpartition(".")[0])
        if found is not None:
            yield found, line


def within(name: str, package: str) -> bool:
    """
    Tell whether a dotted name is this package or in it.
    """
    return name == package or name.startswith(package + ".")


def matches(name: str, patterns: Iterable[str]) -> bool:
    """
    Tell whether a module is one of these; C{a.*} is the package C{a} as well.
    """
    return any(fnmatchcase(name, p) or f"{name}.*" == p for p in patterns)
