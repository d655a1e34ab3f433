"""
The checks of the doctor: each yields findings and changes nothing.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import attrs

from wsmsg.cli.doctor.remedies import REMEDIES
from wsmsg.cli.operator.ask import NoAnswer, ask
from wsmsg.cli.operator.ask import ask as ask_admin
from wsmsg.cli.operator.listener import admin_listener, admin_url
from wsmsg.settings.sources import resolve_data_dir, table_of
from wsmsg.settings.urls.address import parse_address
from wsmsg.settings.values import ConnectSettings, MessageSettings

Ask = Callable[[str], dict[str, Any]]
Level = Literal["ok", "warning", "problem"]

_LIBRARIES = (
    *("twisted", "autobahn", "grpcio", "protobuf", "msgspec", "pydantic", "pyjwt"),
    *("automat", "attrs", "click", "websockets", "prompt_toolkit"),
)
#: Libraries that not every installation has, and the extras that install them.
_EXTRAS = {"confluent-kafka": "kafka", "txmongo": "mongo", "txredisapi": "redis"}
#: Keys in the data directory, and what they are good for.
_KEYS = {
    "token.key": "sign tokens for any user",
    "peer.key": "pass for a daemon",
    "admin.key": "see the status and dead letters",
}
_LOW_BYTES = 200 * 2**20
_EARLIEST_S = 1735689600  # 2025: no machine's clock is right before

_PLUGINS = """
from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
print(*sorted(p.tapname for p in getPlugins(IServiceMaker)
              if p.tapname in ("connect", "message")))
"""


@attrs.frozen
class Finding:
    """
    The result of a check.

    @ivar remedy: advice for the operator; empty if nothing is wrong.
    """

    level: Level
    subject: str
    text: str
    remedy: str = ""


@attrs.frozen
class DaemonPlace:
    """
    The place of a daemon.

    @ivar admin: URL of its admin listener; L{None}: as the settings say.
    """

    settings: ConnectSettings | MessageSettings
    admin: str | None = None

    @property
    def name(self) -> str:
        """
        C{connect} or C{message}.
        """
        return table_of(type(self.settings))

    @property
    def data_dir(self) -> Path:
        """
        Its data directory.
        """
        return resolve_data_dir(self.settings)

    def ask(self, path: str, ask: Ask) -> dict[str, Any]:
        """
        Ask its admin listener.

        @raise NoAnswer: there is no answer, or nobody to ask.
        """
        certificate = self.settings.tls.admin_listen.cert
        if self.admin or not certificate:
            return ask(f"{(self.admin or admin_url(self.settings)).rstrip('/')}{path}")
        return ask_admin(f"{admin_url(self.settings)}{path}", certificate=certificate)


def examine(daemons: Sequence[DaemonPlace]) -> list[Finding]:
    """
    Run all checks.
    """
    findings = [
        *python(sys.version_info[:3]),
        *libraries(importlib.metadata.version),
        *sqlite(),
        *plugins(),
    ]
    for path in dict.fromkeys(place.data_dir for place in daemons):
        findings += [*folder(path), *disk(path, shutil.disk_usage)]
    findings += clock(time.time())
    for place in daemons:
        findings += daemon(place, ask)
        findings += addresses(place, partial(_status, place))
    for place in daemons:
        findings += ports(place, ask)
    return findings


def python(version: tuple[int, ...]) -> Iterator[Finding]:
    """
    Check the version of Python.
    """
    text = ".".join(map(str, version))
    if version >= (3, 11):
        yield Finding("ok", "Python", f"{text} ({sys.executable})")
    else:
        yield Finding("problem", "Python", text, "use Python 3.11 or later")


def libraries(version_of: Callable[[str], str]) -> Iterator[Finding]:
    """
    Check that all libraries are installed; those of an extra need not be.
    """
    found: list[str] = []
    for name in (*_LIBRARIES, *_EXTRAS):
        try:
            found.append(f"{name} {version_of(name)}")
        except importlib.metadata.PackageNotFoundError:
            if name in _EXTRAS:
                found.append(f"no {name} (extra {_EXTRAS[name]})")
                continue
            remedy = "install wsmsg again: pip install wsmsg (or make setup)"
            yield Finding("problem", "library", f"{name} is not installed", remedy)
    yield Finding("ok", "libraries", ", ".join(found))


def sqlite() -> Iterator[Finding]:
    """
    Check that the embedded database exists; the daemons open it, not the doctor.
    """
    code = "import sqlite3; print(sqlite3.sqlite_version)"
    ran = _python(code)
    if ran.returncode:
        remedy = "use a Python that was built with SQLite"
        yield Finding("problem", "SQLite", "this Python has no SQLite", remedy)
    else:
        yield Finding("ok", "SQLite", ran.stdout.strip())


def plugins() -> Iterator[Finding]:
    """
    Check that twistd finds both daemons.
    """
    found = _python(_PLUGINS).stdout.split()
    missing = [name for name in ("connect", "message") if name not in found]
    if missing:
        yield Finding(
            "problem",
            "twistd",
            f"does not find {' and '.join(missing)}",
            "install wsmsg with its twisted/plugins: pip install "
            "--config-settings editable_mode=compat -e .",
        )
    else:
        yield Finding("ok", "twistd", "finds connect and message")


def folder(path: Path) -> Iterator[Finding]:
    """
    Check that the data directory can be used, and by its owner only.
    """
    if not path.exists():
        parent = next(p for p in path.parents if p.exists())
        if os.access(parent, os.W_OK | os.X_OK):
            text = f"{path} does not exist yet; a daemon creates it"
            yield Finding("ok", "data directory", text)
        else:
            remedy = f"create it, or use --data-dir: {parent} is read-only"
            yield Finding(
                "problem", "data directory", f"{path} cannot be created", remedy
            )
        return
    if not path.is_dir():
        yield Finding("problem", "data directory", f"{path} is a file", "name another")
    elif not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        remedy = f"chown it to the user of the daemons (you are uid {os.getuid()})"
        yield Finding("problem", "data directory", f"{path} is not writable", remedy)
    elif path.stat().st_mode & 0o022:
        text = f"{path}: other users can write to it"
        yield Finding("warning", "data directory", text, f"chmod 700 {path}")
    else:
        yield Finding("ok", "data directory", str(path))
    for name, power in _KEYS.items():
        yield from _key(path / name, power)


def _key(path: Path, power: str) -> Iterator[Finding]:
    try:
        mode = path.stat().st_mode
    except OSError:
        return  # it does not exist, or this account may not know
    if mode & 0o077:
        text = f"other users can read {path} and {power}"
        remedy = "delete it, and restart the daemons: one of them creates a new one"
        yield Finding("problem", f"{path.stem} key", text, remedy)


def disk(path: Path, usage: Callable[[Path], Any]) -> Iterator[Finding]:
    """
    Check that the disk has room.
    """
    there = next(p for p in (path, *path.parents) if p.exists())
    free = usage(there).free
    text = f"{free / 2**30:.1f} GiB free for {path}"
    if free < _LOW_BYTES:
        yield Finding("problem", "disk", text, "free some space")
    else:
        yield Finding("ok", "disk", text)


def clock(now_s: float) -> Iterator[Finding]:
    """
    Check that the clock is plausible; tokens and the times of messages depend on it.
    """
    text = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now_s))
    if now_s < _EARLIEST_S:
        yield Finding("problem", "clock", f"it shows {text}", "set it, as by NTP")
    else:
        yield Finding("ok", "clock", text)


def daemon(place: DaemonPlace, ask: Ask) -> list[Finding]:
    """
    Check that a daemon answers and is ready.
    """
    name = place.name
    try:
        document = place.ask("/readyz", ask)
    except NoAnswer as error:
        remedy = f"start it: twistd -n {name}  (or name its address: --{name}-admin)"
        return [Finding("problem", name, str(error), remedy)]
    found = []
    for each in document.get("dependencies", []):
        if each["state"] != "up":
            level: Level = "problem" if not document["ready"] else "warning"
            text = (
                f"{each['name']} is {each['state']} since {each['since']}: "
                f"{each['last_error'] or 'no attempt has finished yet'}"
            )
            remedy = _remedy(each["name"], each.get("cause", ""))
            found.append(Finding(level, name, text, remedy))
    for alarm in document.get("alarms", []):
        text = f"alarm {alarm['name']} since {alarm['since']}: {alarm['reason']}"
        remedy = f"see the alarm {alarm['name']} in docs/reference/health.md"
        found.append(Finding("warning", name, text, remedy))
    if document["ready"]:
        found.append(Finding("ok", name, "ready"))
    elif not found:
        found.append(Finding("problem", name, f"not ready: {document.get('reason')}"))
    return found


def _status(place: DaemonPlace) -> dict[str, Any]:
    return admin_listener(place.settings, place.admin).ask("/status")


def addresses(
    place: DaemonPlace, status: Callable[[], dict[str, Any]]
) -> Iterator[Finding]:
    """
    Check that the clients of a Connect do not share one address.
    """
    try:
        told = status().get(place.name) or {}
    except NoAnswer:
        return  # Somebody else's Connect may keep its status to itself.
    if sole := told.get("sole_address"):
        text = f"all {told['connections']} connections come from {sole}"
        remedy = f'if that is a proxy, list it: connect.proxies = ["{sole}"]'
        yield Finding("warning", place.name, text, remedy)


def _remedy(dependency: str, cause: str) -> str:
    for name, remedies in REMEDIES.items():
        if dependency.startswith(name):
            return remedies.get(cause, remedies[""])
    return f"see the log of the daemon about {dependency}"


def ports(place: DaemonPlace, ask: Ask) -> Iterator[Finding]:
    """
    Check that no other process occupies the ports of a daemon that does not run.
    """
    try:
        place.ask("/healthz", ask)
    except NoAnswer:
        pass
    else:
        return
    if place.admin is not None:
        return  # it has ports of its own, which we do not know
    taken = [a for a in _listens(place.settings) if _answers(a)]
    if taken:
        text = f"{', '.join(taken)} is in use by another process than {place.name}"
        remedy = "find it with ss -ltnp; stop it, or choose other ports"
        yield Finding("problem", "ports", text, remedy)


def _listens(settings: ConnectSettings | MessageSettings) -> list[str]:
    all_of_them = (settings.listen, settings.rpc_listen, settings.admin_listen)
    return [each for each in all_of_them if each and not each.startswith("systemd:")]


def _answers(address: str) -> bool:
    try:
        socket.create_connection(parse_address(address), timeout=1.0).close()
    except OSError:
        return False
    return True


def _python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
