"""
C{wsmsg check-config}: validation of a settings file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from wsmsg.auth.key_file import read_keys
from wsmsg.cli.say import say
from wsmsg.settings.mistakes import Mistake, SettingsMistakes
from wsmsg.settings.notes import notes
from wsmsg.settings.sources import Sources, load_settings, table_of
from wsmsg.settings.values import Common, ConnectSettings, MessageSettings


@click.command("check-config")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--show", is_flag=True, help="Print all settings, with defaults.")
def check_config(file: Path, as_json: bool, show: bool) -> None:
    """
    Check a settings file for both daemons.

    The command reports every mistake with its table, its key and the reason. The exit
    status is 0 if both daemons accept the file, 2 if not. Notes tell of settings that
    are allowed and break a promise. The environment and the options of a daemon
    override the file and are not checked here.
    """
    loaded, mistakes = _checked(file)
    # Secrets print as stars in this mode.
    settings = {table: each.model_dump(mode="json") for table, each in loaded.items()}
    found = _notes(loaded)
    if as_json:
        document: dict[str, Any] = {
            "ok": not mistakes,
            "mistakes": [
                {"source": m.source, "key": m.key, "reason": m.reason} for m in mistakes
            ],
            "notes": found,
        }
        if show:
            document["settings"] = settings
        say(json.dumps(document, indent=2))
    elif mistakes:
        say(SettingsMistakes(mistakes).text(), err=True)
    else:
        say(_as_text(settings) if show else f"{file}: no mistakes")
        for note in found:
            say(f"note: {note}", err=True)
    if mistakes:
        raise SystemExit(2)


def _checked(file: Path) -> tuple[dict[str, Common], list[Mistake]]:
    settings: dict[str, Common] = {}
    mistakes: dict[Mistake, None] = {}
    daemons: tuple[type[Common], ...] = (ConnectSettings, MessageSettings)
    for settings_type in daemons:
        try:
            loaded = load_settings(settings_type, Sources(file=file))
        except SettingsMistakes as e:
            # A mistake in [common] concerns both daemons and is reported once.
            mistakes.update(dict.fromkeys(e.mistakes))
        else:
            settings[table_of(settings_type)] = loaded
            mistakes.update(dict.fromkeys(_key_mistakes(file, loaded)))
    return settings, list(mistakes)


def _key_mistakes(file: Path, settings: Common) -> Iterator[Mistake]:
    if settings.api_keys:
        try:
            read_keys(settings.api_keys, Path())
        except ValueError as e:
            yield Mistake(str(file), "api_keys", str(e))


def _notes(settings: dict[str, Common]) -> list[str]:
    match settings:
        case {
            "connect": ConnectSettings() as connect,
            "message": MessageSettings() as m,
        }:
            return list(notes(connect, m))
    return []


def _as_text(settings: dict[str, Any]) -> str:
    return "\n\n".join(
        "\n".join([f"[{table}]", *_lines(values, "")])
        for table, values in settings.items()
    )


def _lines(values: dict[str, Any], prefix: str) -> list[str]:
    lines: list[str] = []
    for name, value in values.items():
        if isinstance(value, dict):
            lines += _lines(value, f"{prefix}{name}.")
        else:
            # JSON and TOML have the same syntax for text, numbers, booleans and lists.
            lines.append(f"{prefix}{name} = {json.dumps(value, ensure_ascii=False)}")
    return lines
