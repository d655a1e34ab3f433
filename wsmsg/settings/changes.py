"""
Keys that a reload changes, and keys that need a restart.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from wsmsg.settings.keys import keys_of, nested, value_at
from wsmsg.settings.values import Common

S = TypeVar("S", bound=Common)


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
    return new.model_copy(update=nested({key: value_at(old, key) for key in keep}))
