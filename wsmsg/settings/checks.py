"""
Validation of given settings: each value alone, then the rules between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

import attrs
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from wsmsg.settings.keys import is_list, is_secret, is_url, keys_of, nested
from wsmsg.settings.listeners import NO_SWITCH
from wsmsg.settings.mistakes import Mistake, plain_reason
from wsmsg.settings.rules import conflicts
from wsmsg.settings.values import Common
from wsmsg.text.passwords import without_login

S = TypeVar("S", bound=Common)

_BAD_LOGIN = (
    "the user or the password in it is malformed; ':', '/', '?', '#', '%' and '@' are "
    "percent-encoded in them"
)


@attrs.frozen
class Given:
    """
    A value that a source gives.

    @ivar key: dotted, without its table.
    @ivar text: the value is text to be parsed; only a file gives other types.
    """

    key: str
    value: object = attrs.field(repr=False)
    source: str = attrs.field(kw_only=True)
    text: bool = attrs.field(kw_only=True)


@attrs.frozen
class Checked(Generic[S]):
    """
    The result of a validation.

    @ivar settings: with the default in place of each wrong value.
    @ivar wrong: the mistakes in sources and single values.
    @ivar conflicts: the mistakes between values, and in the files that values name.
    """

    settings: S
    wrong: Sequence[Mistake]
    conflicts: Sequence[Mistake]

    @property
    def mistakes(self) -> list[Mistake]:
        """
        All mistakes.
        """
        return [*self.wrong, *self.conflicts]


def check(
    settings_type: type[S], given: Iterable[Given], mistakes: Iterable[Mistake] = ()
) -> Checked[S]:
    """
    Validate the given values and make the settings.

    @param given: one for each key that is given; all keys are known.
    @param mistakes: those that were found before.
    """
    single, between = list(mistakes), []
    by_key = {g.key: g for g in given}
    wrong = dict(_wrong_values(settings_type, by_key))
    for key, reason in wrong.items():
        single.append(Mistake(by_key[key].source, key, reason))
    sound = {k: _read(settings_type, g) for k, g in by_key.items() if k not in wrong}
    settings = settings_type.model_validate(nested(sound))
    for keys, reason in conflicts(settings):
        if not any(key in wrong for key in keys):
            named = [by_key[key].source for key in keys if key in by_key]
            source = ", ".join(dict.fromkeys(named)) or "defaults"
            between.append(Mistake(source, ", ".join(keys), reason))
    return Checked(settings, single, between)


def _wrong_values(
    settings_type: type[Common], by_key: dict[str, Given]
) -> Iterator[tuple[str, str]]:
    fields = keys_of(settings_type)
    values: dict[str, object] = {}
    for key, given in by_key.items():
        if isinstance(given.value, bool) and fields[key].annotation is not bool:
            # pydantic would accept true for 1.
            is_old = key == "trust_network"
            yield key, NO_SWITCH if is_old else "must not be true or false"
        elif given.text and is_list(fields[key]) and _is_json(str(given.value)):
            yield key, "is a list in JSON; separate its members by commas only"
        else:
            values[key] = _read(settings_type, given)
    try:
        settings_type.model_validate(nested(values))
    except ValidationError as e:
        for error in e.errors():
            key = _key(error["loc"], fields)
            yield key, _reason(settings_type, key, dict(error))


def _reason(settings_type: type[Common], key: str, error: Mapping[str, Any]) -> str:
    """
    Return the reason in words that show no password.  A value that may have one is
    checked once more without it, so that the reason is made of that.
    """
    field, value = keys_of(settings_type)[key], error["input"]
    secret = is_secret(field)
    if secret or not isinstance(value, str) or not _may_hide(field, value):
        return plain_reason(error, secret=secret)
    shown = without_login(value)
    try:
        settings_type.model_validate(
            nested({key: [shown] if is_list(field) else shown})
        )
    except ValidationError as e:
        return plain_reason(e.errors()[0])
    return _BAD_LOGIN if shown != value else plain_reason(error, secret=True)


def _may_hide(field: FieldInfo, value: str) -> bool:
    return is_url(field) or "@" in value or "://" in value


def _key(loc: tuple[int | str, ...], fields: Iterable[str]) -> str:
    """
    The setting that an error's location is in: for a member of a list, the list.
    """
    known = frozenset(fields)
    path = [str(step) for step in loc]
    while path and ".".join(path) not in known:
        path.pop()
    return ".".join(path)


def _is_json(text: str) -> bool:
    text = text.strip()
    return text.startswith("[") and text.endswith("]")


def _read(settings_type: type[Common], given: Given) -> object:
    if not given.text or not is_list(keys_of(settings_type)[given.key]):
        return given.value
    return [part.strip() for part in str(given.value).split(",") if part.strip()]
