"""
C{wsmsg status}.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from wsmsg.cli.operator.ask import NoAnswer
from wsmsg.cli.operator.listener import ADMIN, admin_listener, key_file_option
from wsmsg.cli.paths import config_option, settings_of
from wsmsg.cli.say import say
from wsmsg.settings.values import ConnectSettings, MessageSettings
from wsmsg.text.counted import counted, plural

_ABOUT = frozenset({"name", "node", "daemon", "version", "phase", "since", "uptime_s"})
_READINESS = frozenset({"ready", "degraded", "reason", "in_words", "pid", "alarms"})
_COMMON = _ABOUT | _READINESS | {"dependencies"}

#: Up to so many values, zeros are shown too.
_FEW = 8


def admin_options(command: Any) -> Any:
    """
    Options with the addresses of the admin listeners.
    """
    for name in ("message", "connect"):
        command = click.option(
            f"--{name}-admin",
            help=f"URL of {name.title()}'s admin listener.  [default: of the settings]",
        )(command)
    return command


@click.command()
@admin_options
@config_option("The daemons' settings file: look where it says.")
@key_file_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(
    connect_admin: str | None,
    message_admin: str | None,
    config: Path | None,
    key_file: Path | None,
    as_json: bool,
) -> None:
    """
    Show the status of both daemons.

    The addresses are those of --config, in the environment of this command, or the
    default ones. The daemons tell it to their own account, to root, and to who has a
    copy of their file admin.key.

    The exit status is 0 only if both answer and are ready, so a script can wait:

    \b
      until wsmsg status --json > /dev/null; do sleep 1; done
    """
    documents = {
        "connect": _told(
            settings_of(ConnectSettings, config, needs=ADMIN, rules=False),
            connect_admin,
            key_file,
        ),
        "message": _told(
            settings_of(MessageSettings, config, needs=ADMIN, rules=False),
            message_admin,
            key_file,
        ),
    }
    if as_json:
        say(json.dumps(documents, indent=2))
    else:
        for name, document in documents.items():
            for line in shown(name, document):
                say(line)
    if not all(document.get("ready") for document in documents.values()):
        raise SystemExit(1)


def _told(
    settings: ConnectSettings | MessageSettings,
    admin: str | None,
    key_file: Path | None,
) -> dict[str, Any]:
    try:
        return admin_listener(settings, admin, key_file).ask("/status")
    except NoAnswer as error:
        reason = str(error)
        return {
            "ready": False,
            "phase": "unreachable",
            "reason": reason,
            "in_words": f"Not ready: {reason}",
        }


def shown(name: str, document: dict[str, Any]) -> Iterator[str]:
    """
    Yield the lines of a daemon's status for a person.

    @param document: the daemon's C{/status}.
    """
    yield f"{name:8} {document.get('in_words') or _word(document)}"
    if "uptime_s" in document:
        node = document.get("node", "?")
        uptime = _span(float(document["uptime_s"]))
        yield f"  node {node}, version {document.get('version')}, up for {uptime}"
    for alarm in document.get("alarms", []):
        yield f"  alarm {alarm['name']} since {alarm['since']}: {alarm['reason']}"
    dependencies: list[dict[str, Any]] = document.get("dependencies", [])
    width = max((len(d["name"]) for d in dependencies), default=0)
    for d in dependencies:
        line = f"  {d['name']:{width}}  {d['state']:10} since {d['since']}"
        if d.get("about"):
            line += f", {d['about']}"
        if d["losses"]:
            line += f", lost {counted(d['losses'], 'time')}"
        if d["state"] != "up" and d["last_error"]:
            line += f", attempt {d['attempts']}: {d['last_error']}"
        if d.get("next_try"):
            line += f", next try at {d['next_try']}"
        yield line
    for key, value in document.items():
        if key not in _COMMON:
            yield from _section(key, value, "  ")


def _word(document: dict[str, Any]) -> str:
    """
    Return the readiness of a daemon that does not put it in words: an older one.
    """
    if document.get("ready"):
        return "Ready"
    return f"Not ready: {document.get('reason')}"


def _section(key: str, value: object, indent: str) -> Iterator[str]:
    if key == "nodes" and isinstance(value, list):
        for node in value:
            verb = "answers" if node["up"] else "does not answer"
            about = f"{verb} since {node['since']}, {node['about']}"
            about += f", {node['page']}" if node.get("page") else ""
            yield f"{indent}{node['kind']} {node['node']}: {about}"
    elif isinstance(value, dict):
        plain = {k: v for k, v in value.items() if not isinstance(v, dict | list)}
        yield f"{indent}{key}: {_counts(plain) if plain or not value else ''}".rstrip()
        for name, inner in value.items():
            if name not in plain:
                yield from _section(name, inner, indent + "  ")
    elif isinstance(value, list) and any(isinstance(v, dict) for v in value):
        for number, inner in enumerate(value[:20], 1):
            yield from _section(f"{key} {number}", inner, indent)
    elif isinstance(value, list):
        yield f"{indent}{key}: " + (", ".join(str(v) for v in value[:20]) or "none")
    else:
        yield f"{indent}{key}: {value}"


def _counts(plain: dict[str, object]) -> str:
    """
    Return all of a few values; of many values, only those that are not zero.
    """
    few = len(plain) <= _FEW
    selected = {k: v for k, v in plain.items() if few or v != 0 or isinstance(v, bool)}
    if not plain:
        return "none"
    left = len(plain) - len(selected)
    parts = [f"{k} {v}" for k, v in selected.items()]
    if left:
        are = plural(left, "is", "are")
        counts = counted(left, "count")
        parts.append(f"{left} more {are} 0" if parts else f"{counts}, all 0")
    return ", ".join(parts)


def _span(seconds: float) -> str:
    minutes, s = divmod(int(seconds), 60)
    hours, m = divmod(minutes, 60)
    days, h = divmod(hours, 24)
    if days:
        return f"{days} d {h} h"
    if hours:
        return f"{h} h {m} min"
    return f"{m} min {s} s" if minutes else f"{s} s"
