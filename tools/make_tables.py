"""
Generator of the tables in C{docs/} that repeat what is in the code::

    python tools/make_tables.py            write the tables
    python tools/make_tables.py --check    list those that differ; exit status 1 if any

A table stands between two comments, C{<!-- table: errors -->} and C{<!-- end -->}.
If the code does not give the last column, a person writes it: the generator keeps it,
by the first cell of the row.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from tools.capacity import rows as capacity
from tools.command_pages import commands, daemon_options
from tools.metric_rows import metric_rows
from tools.proof_rows import fault_rows, proof_rows, sign_rows
from tools.routes import connect_routes, message_routes
from wsmsg.auth.scopes import GRANTED
from wsmsg.connect.tap import Options as ConnectOptions
from wsmsg.errors import ERRORS, Close, reconnect_allowed
from wsmsg.message.options import Options as MessageOptions
from wsmsg.protocol.costs import COSTS
from wsmsg.settings.values import ConnectSettings, MessageSettings

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"

Row = tuple[str, ...]

_TABLE = re.compile(r"(<!-- table: (\w+) -->\n)(.*?)(<!-- end -->)", re.S)


def error_rows() -> Iterator[Row]:
    """
    Rows for C{errors.py}, one for each error.
    """
    yield ("code", "HTTP", "gRPC", "the connection", "send it again?", "what it means")
    for code, error in ERRORS.items():
        end = "goes on" if error.close is None else f"is closed with {error.close}"
        again = "yes, later" if error.retry else "no"
        yield (f"`{code}`", str(error.http_status), f"`{error.grpc_code}`", end, again)


def close_rows() -> Iterator[Row]:
    """
    Rows for the close codes, by number.
    """
    yield ("code", "name", "reconnect?", "what it means")
    for close in sorted(Close):
        again = "yes" if reconnect_allowed(close) else "no"
        yield (str(int(close)), f"`{close.name}`", again)


def cost_rows() -> Iterator[Row]:
    """
    Rows for the requests that cost something.
    """
    yield ("frame", "units", "and one more for each")
    for frame, cost in COSTS.items():
        items = f"{cost.each} {cost.items}" if cost.items else "-"
        yield (f"`{frame.__struct_config__.tag}`", str(cost.units), items)


def settings_rows(section: type[BaseModel]) -> Iterator[Row]:
    """
    Rows for the keys of a daemon's section, including those of its inner tables.
    """
    yield ("key", "default", "values", "reload", "what it does")
    restart: frozenset[str] = getattr(section, "RESTART", frozenset())
    for name, key, field in _fields(section):
        live = "restart" if name in restart else "live"
        yield (f"`{name}`", _default(field), _values(key, field), live)


def _fields(
    section: type[BaseModel], prefix: str = ""
) -> Iterator[tuple[str, str, FieldInfo]]:
    for key, field in section.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _fields(inner, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", key, field


def _default(field: FieldInfo) -> str:
    value = field.default
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return ", ".join(f"`{v}`" for v in value) or "none"
    return "empty" if value == "" else f"`{value}`"


def _values(key: str, field: FieldInfo) -> str:
    kind: Any = field.annotation
    if get_origin(kind) is tuple:
        inner = get_args(kind)[0]
        return "secrets" if inner is SecretStr else f"a list{_choices(inner)}"
    if get_origin(kind) is Literal:
        return _choices(kind).removeprefix(" of ")
    if kind in (int, float):
        return f"{_unit(key)}{_bounds(field)}"
    return {bool: "`true`, `false`", SecretStr: "a secret"}.get(kind, "text")


def _choices(kind: Any) -> str:
    if get_origin(kind) is not Literal:
        return ""
    return " of " + ", ".join(f"`{c}`" for c in get_args(kind))


def _unit(key: str) -> str:
    if key.endswith("_per_s"):
        return "each second"
    return {"_s": "seconds", "_bytes": "bytes"}.get(key[key.rfind("_") :], "number")


def _bounds(field: FieldInfo) -> str:
    bounds = []
    for mark in field.metadata:
        for name, sign in (("gt", ">"), ("ge", ">="), ("le", "<="), ("lt", "<")):
            bound = getattr(mark, name, None)
            if bound is not None:
                bounds.append(f"{sign} {bound:g}" if bound < 1e5 else f"{sign} {bound}")
    return ", " + ", ".join(bounds) if bounds else ""


def package_rows() -> Iterator[Row]:
    """
    Rows for the packages below C{wsmsg}, with the first sentences of their docstrings.
    """
    yield ("package", "role")
    for path in sorted((ROOT / "wsmsg").rglob("__init__.py")):
        folder = path.parent.relative_to(ROOT)
        docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
        if len(folder.parts) > 1 and folder.name != "rpc":
            yield (f"[`{folder}`](../../{folder})", _sentence(docstring))


def _sentence(docstring: str) -> str:
    text = " ".join(docstring.partition("\n\n")[0].split())
    text = re.sub(r"[A-Z]\{((?:[^{}]|\{[^}]*\})*)\}", r"`\1`", text)
    first = re.match(r".*?\.(?=\s|$)", text)
    return (first[0] if first else text).rstrip(".:").replace("|", "or")


def metric_table(begin: str) -> Iterator[Row]:
    """
    Rows for the metrics whose names begin with a text; nothing: those of both daemons.
    """
    yield ("metric", "kind", "label", "meaning")
    for row in metric_rows():
        of = next((b for b in _METRICS_OF if row.name.startswith(b)), "")
        if of == begin:
            label = f"`{row.label}`" if row.label else "-"
            yield (f"`{row.name}`", row.kind, label, row.text)


_METRICS_OF = ("wsmsg_connect_", "wsmsg_message_")


def scope_rows() -> Iterator[Row]:
    """
    Rows for the scopes of API keys, with the calls that need each of them.
    """
    yield ("scope", "a key with it may", "changes", "calls below `/api/v1/`")
    routes = [*message_routes(), *connect_routes()]
    for scope in GRANTED:
        calls = [f"`{r.target}`" for r in routes if r.scope is scope]
        changes = "yes" if scope.changes else "no"
        yield (f"`{scope.value}`", scope.text, changes, ", ".join(calls))


TABLES: dict[str, Callable[[], Iterator[Row]]] = {
    "proofs": proof_rows,
    "faults": fault_rows,
    "signs": sign_rows,
    "errors": error_rows,
    "closes": close_rows,
    "costs": cost_rows,
    "connect": lambda: settings_rows(ConnectSettings),
    "message": lambda: settings_rows(MessageSettings),
    "packages": package_rows,
    "capacity_processes": capacity.processes,
    "capacity_connections": capacity.of_connections,
    "capacity_rates": capacity.of_rates,
    "capacity_constants": capacity.constants,
    "capacity_checks": capacity.checks,
    "scopes": scope_rows,
    "metrics_of_both": lambda: metric_table(""),
    "metrics_of_connect": lambda: metric_table("wsmsg_connect_"),
    "metrics_of_message": lambda: metric_table("wsmsg_message_"),
    "options_of_connect": lambda: daemon_options(ConnectOptions),
    "options_of_message": lambda: daemon_options(MessageOptions),
}

#: What the code gives as text, in place of rows.
TEXTS: dict[str, Callable[[], str]] = {"commands": commands}


def rendered(name: str, old: str) -> str:
    """
    Return a table as the code has it.

    @param old: the table on the page, for the column that a person writes.
    """
    if name in TEXTS:
        return TEXTS[name]()
    written = {}
    for line in old.splitlines():
        cells = [c.strip() for c in line.strip("|").split("|")]
        written[cells[0]] = cells[-1]
    head, *rows = TABLES[name]()
    lines = [_line(head), _line(("---",) * len(head))]
    for row in rows:
        kept = (written.get(row[0], ""),) if len(row) < len(head) else ()
        lines.append(_line((*row, *kept)))
    return "\n".join(lines) + "\n"


def _line(cells: Row) -> str:
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def regenerated(text: str) -> str:
    """
    Return a page with its tables as the code has them.
    """
    return _TABLE.sub(lambda m: f"{m[1]}{rendered(m[2], m[3])}{m[4]}", text)


def undescribed(text: str) -> list[str]:
    """
    Return the rows of a page's tables whose last column is empty.
    """
    rows = [line for m in _TABLE.finditer(text) for line in m[3].splitlines()]
    return [line for line in rows if re.search(r"\|\s*\|$", line)]


def main() -> int:
    differ = False
    for page in sorted(DOCS.rglob("*.md")):
        old = page.read_text()
        if regenerated(old) != old:
            differ = True
            print(f"{page.relative_to(ROOT)}: differs from the code; run make docs")
            if sys.argv[1:] != ["--check"]:
                page.write_text(regenerated(old))
        for row in undescribed(regenerated(old)):
            print(f"{page.relative_to(ROOT)}: this row needs a description: {row}")
    return 1 if differ and sys.argv[1:] == ["--check"] else 0


if __name__ == "__main__":
    sys.exit(main())
