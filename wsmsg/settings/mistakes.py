"""
Mistakes in settings, in words that need no knowledge of how settings are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import attrs

from wsmsg.text.counted import counted
from wsmsg.text.passwords import without_passwords


@attrs.frozen
class Mistake:
    """
    One mistake.  It shows no password of a URL.

    @ivar source: the file, environment variable or option with the mistake.
    @ivar key: the setting, dotted; empty if the mistake is in the source as a whole.
    @ivar reason: the mistake and, where it is known, the remedy.
    """

    source: str = attrs.field(converter=without_passwords)
    key: str = attrs.field(converter=without_passwords)
    reason: str = attrs.field(converter=without_passwords)

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.source, self.key, self.reason)))


class SettingsMistakes(Exception):
    """
    The settings cannot be used.

    @ivar mistakes: every L{Mistake} that was found.
    """

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__(self.text())

    def text(self) -> str:
        """
        Return all mistakes, one a line, after a line that counts them.
        """
        head = counted(len(self.mistakes), "mistake")
        return "\n".join(
            [f"{head} in the settings:"] + [f"  {mistake}" for mistake in self.mistakes]
        )


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """
    Return C{"; did you mean ...?"}, or nothing if no known word is similar.
    """
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def plain_reason(error: Mapping[str, Any], *, secret: bool = False) -> str:
    """
    Return one of pydantic's errors in words for an operator.

    @param error: of C{ValidationError.errors()}.
    @param secret: do not show the value.
    """
    kind, limits = error["type"], error.get("ctx", {})
    if kind == "value_error":
        return str(limits["error"])
    template = _REASONS.get(kind) or _TYPES.get(kind.rsplit("_", 1)[0])
    if template is None:
        return str(error["msg"])
    reason = template.format(**limits)
    return reason if secret else f"{reason}, not {_shown(error['input'])}"


def _shown(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case Mapping():
            return "a table"
        case list() | tuple():
            return "a list"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


#: By the full name of pydantic's error.
_REASONS = {
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "string_pattern_mismatch": "may have letters, digits, '.', '_' and '-' only",
    "string_too_long": "must have at most {max_length} characters",
    "int_from_float": "must be an integer",
    "finite_number": "must be a finite number",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
}

#: By the name without its last word, such as C{int} for C{int_parsing}.
_TYPES = {
    "int": "must be an integer",
    "float": "must be a number",
    "bool": "must be true or false",
    "string": "must be text",
    "tuple": "must be a list",
}
