"""
C{wsmsg check-config}: whether the daemons would take a file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from wsmsg.settings.mistakes import Mistake, SettingsMistakes
from wsmsg.settings.sources import Sources, load_settings, table_of
from wsmsg.settings.values import Common, ConnectSettings, MessageSettings


@click.command("check-config")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--show", is_flag=True, help="Print what is in force, defaults too.")
def check_config(file: Path, as_json: bool, show: bool) -> None:
    """
    Check a settings file for both daemons.

    Every mistake is told at once, with its table, its key and the reason. The exit
    status is 0 when both daemons would take the file, 2 when not. The environment
    and options of a daemon come on top and are not looked at here.
    """
    settings, mistakes = _checked(file)
    if as_json:
        document: dict[str, Any] = {
            "ok": not mistakes,
            "mistakes": [
                {"source": m.source, "key": m.key, "reason": m.reason} for m in mistakes
            ],
        }
        if show:
            document["settings"] = settings
        click.echo(json.dumps(document, indent=2))
    elif mistakes:
        click.echo(SettingsMistakes(mistakes).text(), err=True)
    else:
        click.echo(_as_text(settings) if show else f"{file}: no mistakes")
    if mistakes:
        raise SystemExit(2)


def _checked(file: Path) -> tuple[dict[str, Any], list[Mistake]]:
    settings: dict[str, Any] = {}
    mistakes: dict[Mistake, None] = {}
    daemons: tuple[type[Common], ...] = (ConnectSettings, MessageSettings)
    for settings_type in daemons:
        try:
            loaded = load_settings(settings_type, Sources(file=file))
        except SettingsMistakes as e:
            # What is wrong in [common] is wrong for both, and told once.
            mistakes.update(dict.fromkeys(e.mistakes))
        else:
            # Secrets print as stars in this mode.
            settings[table_of(settings_type)] = loaded.model_dump(mode="json")
    return settings, list(mistakes)


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
            # What JSON and TOML spell alike: text, numbers, booleans, lists.
            lines.append(f"{prefix}{name} = {json.dumps(value, ensure_ascii=False)}")
    return lines
