"""
The sources of settings: a file, overridden by the environment, overridden by options.

============ ===================================================================
a TOML file  tables C{[connect]} and C{[message]}, C{[common]} beneath each
credentials  files C{wsmsg.<table>.<key>} in C{$CREDENTIALS_DIRECTORY} (systemd)
environment  C{WSMSG_CONNECT__LIMITS__WINDOW=32}; with C{_FILE} at its end the
             variable names a file that has the value
options      C{--listen host:port}; C{--set limits.window=32} for every key
============ ===================================================================

A later source overrides an earlier one, key by key.  Nothing is applied unless all of
it is valid: one L{SettingsMistakes} has every mistake.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import attrs

from wsmsg.settings.checks import Checked, Given, check
from wsmsg.settings.keys import REMOVED, keys_of, new_name
from wsmsg.settings.mistakes import Mistake, SettingsMistakes, did_you_mean
from wsmsg.settings.values import Common, ConnectSettings, MessageSettings

S = TypeVar("S", bound=Common)

#: The tables of a file, with their settings.
TABLES: Mapping[str, type[Common]] = {
    "common": Common,
    "connect": ConnectSettings,
    "message": MessageSettings,
}

#: Limit of nested tables; no setting is that deep.
_DEEPEST = 8


@attrs.frozen(kw_only=True)
class Sources:
    """
    All sources of the settings, kept so that a reload can read them again.

    @ivar options: for each option: the option as it was written, the key, the value.
    """

    file: Path | None = None
    environ: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    options: tuple[tuple[str, str, str], ...] = ()


def load_settings(settings_type: type[S], sources: Sources) -> S:
    """
    Read, merge and check the settings of one daemon.

    @raise SettingsMistakes: with every mistake.
    """
    checked = read_settings(settings_type, sources)
    if checked.mistakes:
        raise SettingsMistakes(checked.mistakes)
    return checked.settings


def read_settings(settings_type: type[S], sources: Sources) -> Checked[S]:
    """
    Read, merge and check the settings of one daemon, for a command that needs only some
    of them.
    """
    table = table_of(settings_type)
    mistakes: list[Mistake] = []
    merged: dict[str, Given] = {}
    for given in _all_given(table, sources, mistakes):
        merged[given.key] = given
    return check(settings_type, merged.values(), mistakes)


def table_of(settings_type: type[Common]) -> str:
    """
    Return the table of a file that has these settings.
    """
    return next(name for name, known in TABLES.items() if known is settings_type)


def resolve_data_dir(settings: Common, environ: Mapping[str, str] = os.environ) -> Path:
    """
    Return the data directory of the daemons.
    """
    if settings.data_dir:
        return Path(settings.data_dir).expanduser().absolute()
    # With several state directories, systemd separates them by colons.
    if state := environ.get("STATE_DIRECTORY", "").split(":")[0]:
        return Path(state)
    if base := environ.get("XDG_STATE_HOME", ""):
        return Path(base) / "wsmsg"
    return Path.home() / ".local/state/wsmsg"


def _all_given(
    table: str, sources: Sources, mistakes: list[Mistake]
) -> Iterator[Given]:
    wanted = ("common", table)
    found: list[tuple[str, Given]] = []
    if sources.file is not None:
        found += _in_file(sources.file, mistakes)
    yield from _known(found, wanted, mistakes)
    credentials = sources.environ.get("CREDENTIALS_DIRECTORY")
    if credentials:
        in_files = _in_credentials(Path(credentials), mistakes)
        yield from _known(in_files, wanted, mistakes)
    in_environ = _in_environ(sources.environ, mistakes)
    yield from _known(in_environ, wanted, mistakes)
    options = [
        (table, Given(key, value, source=source, text=True))
        for source, key, value in sources.options
    ]
    yield from _known(options, wanted, mistakes)


def _known(
    found: Iterable[tuple[str, Given]], wanted: tuple[str, ...], mistakes: list[Mistake]
) -> list[Given]:
    """
    Return the known keys of the wanted tables, in the order of the tables.
    """
    known: dict[str, list[Given]] = {table: [] for table in wanted}
    for table, given in found:
        if table not in known:
            continue
        keys = keys_of(TABLES[table])
        if given.key in keys:
            known[table].append(given)
        elif given.key in keys_of(TABLES[table], sections=True):
            mistakes.append(Mistake(given.source, given.key, "is a table of settings"))
        else:
            mistakes.append(_unknown(table, given, keys))
    return [given for table in wanted for given in known[table]]


def _unknown(table: str, given: Given, keys: Iterable[str]) -> Mistake:
    new = new_name(table, given.key)
    if new is not None:
        return Mistake(given.source, given.key, f"is called {new} now")
    if (removed := REMOVED.get(table, {}).get(given.key)) is not None:
        return Mistake(given.source, given.key, removed)
    elsewhere = [t for t in TABLES if t != table and given.key in keys_of(TABLES[t])]
    hint = did_you_mean(given.key, keys)
    if elsewhere:
        hint = f"; it belongs to {' and '.join(f'[{t}]' for t in elsewhere)}"
    where = f"in [{table}]" if table == "common" else f"of wsmsg {table}"
    return Mistake(given.source, given.key, f"is not a setting {where}{hint}")


def _in_file(path: Path, mistakes: list[Mistake]) -> Iterator[tuple[str, Given]]:
    source = str(path)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        mistakes.append(Mistake(source, "", f"cannot be read: {e.strerror}"))
        return
    except UnicodeDecodeError:
        mistakes.append(Mistake(source, "", "is not UTF-8 text"))
        return
    except RecursionError:
        mistakes.append(Mistake(source, "", "is nested too deeply"))
        return
    except ValueError as e:  # TOMLDecodeError, or a number is too long
        mistakes.append(Mistake(source, "", f"is not TOML: {e}"))
        return
    for table, content in document.items():
        if table not in TABLES:
            mistakes.append(Mistake(source, table, _no_table(table)))
        elif not isinstance(content, dict):
            mistakes.append(Mistake(source, table, "must be a table"))
        else:
            for key, value in _flat(TABLES[table], content):
                where = f"{source} [{table}]"
                yield table, Given(key, value, source=where, text=False)


def _no_table(name: str) -> str:
    homes = [f"[{t}]" for t in TABLES if name in keys_of(TABLES[t], sections=True)]
    if homes:
        return f"must be under {' or '.join(homes)}"
    near = did_you_mean(name, TABLES)
    return f"is not a table; the tables are [common], [connect] and [message]{near}"


def _flat(
    settings_type: type[Common], content: Mapping[str, object], prefix: str = ""
) -> Iterator[tuple[str, object]]:
    """
    Yield the dotted keys of nested tables.  A table in place of a plain value is kept,
    so that it is reported as a wrong value.
    """
    plain = keys_of(settings_type)
    for name, value in content.items():
        key = f"{prefix}{name}"
        deep = prefix.count(".") >= _DEEPEST
        if isinstance(value, dict) and key not in plain and not deep:
            yield from _flat(settings_type, value, f"{key}.")
        else:
            yield key, value


def _in_credentials(
    folder: Path, mistakes: list[Mistake]
) -> Iterator[tuple[str, Given]]:
    for path in sorted(folder.glob("wsmsg.*")):
        table, _, key = path.name.removeprefix("wsmsg.").partition(".")
        source = f"credential {path.name}"
        if table not in TABLES:
            mistakes.append(Mistake(source, table, _no_table(table)))
            continue
        value = _content(path, source, mistakes)
        if value is not None:
            yield table, Given(key, value, source=source, text=True)


def _in_environ(
    environ: Mapping[str, str], mistakes: list[Mistake]
) -> Iterator[tuple[str, Given]]:
    for name in sorted(environ):
        if not name.startswith("WSMSG_"):
            continue
        source = f"environment variable {name}"
        table, _, rest = name.removeprefix("WSMSG_").lower().partition("__")
        if table in TABLES and rest:
            given = _variable(table, rest, environ, name, source, mistakes)
            if given is not None:
                yield table, given
        elif rest or table.partition("_")[0] in TABLES:
            mistakes.append(Mistake(source, "", _misspelt(name)))


def _variable(
    table: str,
    rest: str,
    environ: Mapping[str, str],
    name: str,
    source: str,
    mistakes: list[Mistake],
) -> Given | None:
    key, value = rest.replace("__", "."), environ[name]
    if not key.endswith("_file"):
        return Given(key, value, source=source, text=True)
    plain = name[: -len("_FILE")]
    if plain in environ:
        mistakes.append(
            Mistake(source, "", f"{plain} is set as well; unset one of them")
        )
        return None
    content = _content(Path(value), f"{source} ({value})", mistakes)
    key = key.removesuffix("_file")
    if content is None:
        return None
    return Given(key, content, source=f"{source} ({value})", text=True)


def _misspelt(name: str) -> str:
    names = [
        f"WSMSG_{table}__{key.replace('.', '__')}".upper()
        for table, settings_type in TABLES.items()
        for key in keys_of(settings_type)
    ]
    near = did_you_mean(name, names)
    return f"is not the name of a setting, such as WSMSG_CONNECT__LIMITS__WINDOW{near}"


def _content(path: Path, source: str, mistakes: list[Mistake]) -> str | None:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as e:
        mistakes.append(Mistake(source, "", f"cannot be read: {e.strerror}"))
    except UnicodeDecodeError:
        mistakes.append(Mistake(source, "", "is not UTF-8 text"))
    except ValueError:
        mistakes.append(Mistake(source, "", "is not the path of a file"))
    return None
