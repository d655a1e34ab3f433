"""
The law of ownership: the attributes of an object are written by its own methods.

Three kinds of objects are open to others, and each is known by the syntax:

  - an object that the same function has just made, which nobody else has seen: a name
    that is assigned only from calls of classes (C{x = A(...)});
  - a protobuf message that is filled: a parameter with a generated type, and what
    is reached through one;
  - a record of counters, a subclass of
    L{Counters<wsmsg.monitoring.counters.Counters>}: C{+=} alone, on its fields, and by
    the name C{counters}.

What a library wants to be assigned is listed in L{OF_LIBRARIES}.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.laws import Law, Violation
from tests.syntax import Module

#: The attributes of the objects of libraries that are assigned, by the last part of the
#: object's name: there is no other way.
OF_LIBRARIES: dict[str, tuple[str, ...]] = {
    "transport": ("protocol",),  # a connection passes from one protocol to another
    "factory": ("protocol",),
    "reactor": ("seconds",),
    "call": ("seconds",),
    # txmongo's modules
    "connection": ("log",),
    "protocol": ("log",),
    "_Connection": ("noisy",),
}

_COUNTERS = ("counters", "_counters")
_OWN = ("self", "cls")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def law_of_ownership(modules: list[Module]) -> Iterator[Violation]:
    """
    Nobody writes the attributes of another object.
    """
    fields = _fields_of_counters(modules)
    for module in modules:
        for function in ast.walk(module.tree):
            if isinstance(function, Function):
                yield from _written_from_outside(module, function, fields)


def _written_from_outside(
    module: Module, function: Function, fields: set[str]
) -> Iterator[Violation]:
    own = _own_statements(function)
    written = list(_attributes_written(own))
    if not written:
        return
    open_objects = _messages(function, own, _rpc_modules(module))
    for node, target in written:
        counts = isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add)
        name = ast.unparse(target.value)
        last = name.rpartition(".")[2]
        if (
            open_objects & _prefixes(target.value)
            or target.attr in OF_LIBRARIES.get(last, ())
            or (counts and last in _COUNTERS and target.attr in fields)
        ):
            continue
        reason = f"{function.name} writes {name}.{target.attr} from outside"
        yield Violation(module.path, target.lineno, reason)


def _attributes_written(own: list[ast.AST]) -> Iterator[tuple[ast.AST, ast.Attribute]]:
    for node in own:
        for target in _targets(node):
            if isinstance(target, ast.Attribute) and not (
                isinstance(target.value, ast.Name) and target.value.id in _OWN
            ):
                yield node, target


def _own_statements(function: Function) -> list[ast.AST]:
    """
    Return the nodes of a function without those of the functions in it.
    """
    found: list[ast.AST] = []
    waiting: list[ast.AST] = [*function.body]
    while waiting:
        node = waiting.pop(0)
        if not isinstance(node, (*Function.__args__, ast.ClassDef, ast.Lambda)):
            found.append(node)
            waiting = [*ast.iter_child_nodes(node), *waiting]
    return found


def _targets(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.Assign(targets=targets) | ast.Delete(targets=targets):
            given = targets
        case ast.AugAssign(target=target) | ast.AnnAssign(target=target):
            given = [target]
        case ast.For(target=target) | ast.AsyncFor(target=target):
            given = [target]
        case ast.withitem(optional_vars=ast.expr() as target):
            given = [target]
        case _:
            return []
    return [t for target in given for t in _flattened(target)]


def _flattened(target: ast.expr) -> list[ast.expr]:
    if isinstance(target, (ast.Tuple, ast.List)):
        return [t for element in target.elts for t in _flattened(element)]
    return [target.value if isinstance(target, ast.Starred) else target]


def _prefixes(node: ast.expr) -> set[str]:
    """
    Return an expression like C{a.b[0].c}, and everything that it is reached through.
    """
    found = {ast.unparse(node)}
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
        found.add(ast.unparse(node))
    return found


def _made(own: list[ast.AST]) -> set[str]:
    """
    Return what is assigned from calls of classes, and from nothing else.
    """
    made: dict[str, bool] = {}
    for node in own:
        value = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
        for target in _targets(node) if not isinstance(node, ast.AugAssign) else []:
            name = ast.unparse(target)
            made[name] = made.get(name, True) and _is_new(value)
    return {name for name, is_new in made.items() if is_new}


def _is_new(value: ast.expr | None) -> bool:
    if not isinstance(value, ast.Call):
        return False
    names = ast.unparse(value.func).split(".")
    return any(name.lstrip("_")[:1].isupper() for name in names[-2:])


def _rpc_modules(module: Module) -> set[str]:
    """
    Return the names under which a module knows the generated modules.
    """
    return {
        alias.asname or alias.name
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name.endswith("_pb2")
    }


def _messages(function: Function, own: list[ast.AST], rpc: set[str]) -> set[str]:
    """
    Return what a function has made, its parameters that are protobuf messages, and what
    is reached through one of these, C{to.cursors.add()} too.
    """
    arguments = function.args
    found = _made(own) | {
        a.arg
        for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
        if a.annotation and ast.unparse(a.annotation).partition(".")[0] in rpc
    }
    for node in own:
        if isinstance(node, ast.Assign):
            value = node.value.func if isinstance(node.value, ast.Call) else node.value
            if _prefixes(value) & found:
                found |= {ast.unparse(t) for t in node.targets}
    return found


def _fields_of_counters(modules: list[Module]) -> set[str]:
    return {
        field.target.id
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(base).endswith("Counters") for base in node.bases)
        for field in node.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    }


LAWS_OF_OBJECTS: tuple[Law, ...] = (law_of_ownership,)
