"""
The settings as flat, dotted keys, C{limits.window}: those that were renamed, those that
a reload changes, and those that need a restart.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple, TypeVar, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from wsmsg.settings.base import URL
from wsmsg.settings.values import Common

S = TypeVar("S", bound=Common)
M = TypeVar("M", bound=BaseModel)

#: By table of a file: keys, and tables of keys, that were renamed, with the new names.
RENAMED: Mapping[str, Mapping[str, str]] = {
    "message": {"deployed": "legacy"},
}

#: By table of a file: keys that are gone, with what takes their place.
REMOVED: Mapping[str, Mapping[str, str]] = {
    "connect": {
        "goaway_spread_s": "is gone: drain.per_s says how many clients are asked to"
        " move in a second",
    },
    "message": {
        "http.keys": "is gone: API keys have names and scopes now, in a file (api_keys)"
        " that `wsmsg key new NAME --scopes ...` makes; with --secret-file it takes a"
        " secret that callers have already"
    },
}


@cache
def keys_of(
    settings_type: type[BaseModel], *, sections: bool = False
) -> Mapping[str, FieldInfo]:
    """
    Return every key of these settings, with its field.

    @param sections: include the names of the tables.
    """
    keys: dict[str, FieldInfo] = {}
    for name, field in settings_type.model_fields.items():
        inner = section_of(field)
        if inner is None or sections:
            keys[name] = field
        if inner is not None:
            for key, leaf in keys_of(inner, sections=sections).items():
                keys[f"{name}.{key}"] = leaf
    return keys


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """
    Return the table that a field is, or L{None}.
    """
    kind: Any = field.annotation
    is_table = isinstance(kind, type) and issubclass(kind, BaseModel)
    return kind if is_table else None


def is_secret(field: FieldInfo) -> bool:
    """
    Return L{True} if the value of the field must never be shown.
    """
    return SecretStr in (field.annotation, *get_args(field.annotation))


def is_url(field: FieldInfo) -> bool:
    """
    Return L{True} if the field is a URL that may have a password in it.
    """
    return URL in field.metadata


def is_list(field: FieldInfo) -> bool:
    """
    Return L{True} if the field has several values.
    """
    return get_origin(field.annotation) is tuple


def value_at(settings: BaseModel, key: str) -> Any:
    """
    Return the value of a dotted key.
    """
    value: Any = settings
    for name in key.split("."):
        value = getattr(value, name)
    return value


def nested(flat: Mapping[str, object]) -> dict[str, Any]:
    """
    Return dotted keys as nested tables.
    """
    tables: dict[str, Any] = {}
    for key, value in flat.items():
        *path, name = key.split(".")
        table = tables
        for step in path:
            table = table.setdefault(step, {})
        table[name] = value
    return tables


def new_name(table: str, key: str) -> str | None:
    """
    Return the present name of a key that was renamed, or L{None}.
    """
    renamed = RENAMED.get(table, {})
    steps = key.split(".")
    for count in range(len(steps), 0, -1):
        new = renamed.get(".".join(steps[:count]))
        if new is not None:
            return ".".join([new, *steps[count:]])
    return None


class Changes(NamedTuple):
    """
    The dotted keys that differ, sorted.
    """

    live: tuple[str, ...]
    needs_restart: tuple[str, ...]


def describe_changes(old: Common, new: Common) -> Changes:
    """
    Return the keys whose values differ, by whether a reload can change them.
    """
    changed = sorted(
        key for key in keys_of(type(old)) if value_at(old, key) != value_at(new, key)
    )
    return Changes(
        tuple(key for key in changed if key not in old.RESTART),
        tuple(key for key in changed if key in old.RESTART),
    )


def with_live_changes(old: S, new: S) -> S:
    """
    Return the new settings, with the old values of the keys that need a restart.
    """
    keep = describe_changes(old, new).needs_restart
    return _updated(new, nested({key: value_at(old, key) for key in keep}))


def _updated(section: M, values: Mapping[str, Any]) -> M:
    """
    Return the section with other values; those of its tables change one by one.
    """
    update = {
        name: _updated(getattr(section, name), value)
        if isinstance(value, dict)
        else value
        for name, value in values.items()
    }
    return section.model_copy(update=update)
