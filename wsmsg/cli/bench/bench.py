"""
C{wsmsg bench}: throughput, latency, CPU and memory, next to a bare echo server.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from urllib.parse import urlsplit

import click

from wsmsg.bench import profiles
from wsmsg.bench.against import table
from wsmsg.bench.against.systems import SYSTEMS
from wsmsg.bench.against.table import Comparison
from wsmsg.bench.load.encoding import SMALLEST
from wsmsg.bench.processes import CannotStart, Server, daemons
from wsmsg.bench.report import Report, as_json, as_text
from wsmsg.bench.scenarios import NAMES, Bench, BenchFailed, Choice
from wsmsg.bench.stack import backends_of, pids_of, settings_of
from wsmsg.cli.bench.against import against_option, compare, keys_option, only_of
from wsmsg.cli.say import say

_WS_PATH = "/api/v1/connect/ws"
_PROCESSES = ("connect", "message", "kafka", "mongo", "redis")


def _only(
    context: click.Context, parameter: click.Parameter, value: str
) -> tuple[str, ...]:
    names = tuple(name.strip() for name in value.split(",") if name.strip())
    for name in names:
        if name not in NAMES:
            raise click.BadParameter(f"{name!r} is not one of {', '.join(NAMES)}")
    return names or NAMES


def _settings(
    context: click.Context, parameter: click.Parameter, value: tuple[str, ...]
) -> dict[str, str]:
    """
    Return C{connect.limits.window=32} as a variable of the environment.
    """
    environment = {}
    for one in value:
        key, equals, text = one.partition("=")
        if not equals or key.split(".")[0] not in ("connect", "message"):
            raise click.BadParameter(
                f"{one!r} is not connect.KEY=VALUE or message.KEY=VALUE"
            )
        environment["WSMSG_" + key.upper().replace(".", "__")] = text
    return environment


def _pids(
    context: click.Context, parameter: click.Parameter, value: tuple[str, ...]
) -> dict[str, int]:
    pids = {}
    for one in value:
        name, _, pid = one.partition("=")
        known = name in _PROCESSES or name.partition(".")[0] in SYSTEMS
        if not known or not pid.isdecimal():
            names = ", ".join([*_PROCESSES, *SYSTEMS])
            raise click.BadParameter(f"{one!r} is not NAME=PID with a name of {names}")
        pids[name] = int(pid)
    return pids


def _address(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[str, int, str] | None:
    if value is None:
        return None
    parts = urlsplit(value)
    if parts.scheme != "ws" or not parts.hostname:
        raise click.BadParameter(f"{value!r} is not ws://host:port/path")
    return parts.hostname, parts.port or 80, parts.path or _WS_PATH


@click.command()
@click.option("--pairs", type=click.IntRange(1, 5000), default=100, show_default=True)
@click.option(
    "--seconds",
    type=click.FloatRange(1, 600),
    default=10.0,
    show_default=True,
    help="Duration of each load.",
)
@click.option(
    "--size",
    type=click.IntRange(SMALLEST, 16384),
    default=200,
    show_default=True,
    help="Size of the content of a message, in bytes.",
)
@click.option(
    "--window",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Closed loop: messages in flight for each pair.",
)
@click.option(
    "--idle",
    type=click.IntRange(1, 50000),
    default=5000,
    show_default=True,
    help="Idle connections, to measure their memory.",
)
@click.option(
    "--members",
    type=click.IntRange(2, 20000),
    default=1000,
    show_default=True,
    help="Members of the group, all connected.",
)
@click.option(
    "--logins",
    type=click.IntRange(1, 50000),
    default=5000,
    show_default=True,
    help="Logins, all at once.",
)
@click.option(
    "--rate",
    type=click.FloatRange(0, 200000),
    default=0.0,
    help="Open loop: messages a second.  [default: half of saturation]",
)
@click.option(
    "--only",
    callback=_only,
    default=",".join(NAMES),
    show_default=True,
    help="Measurements to make.",
)
@click.option(
    "--stack",
    is_flag=True,
    help="Use running Kafka, MongoDB and Redis: those of WSMSG_STACK_KAFKA, _MONGO and "
    "_REDIS (host:port), else where python -m tools.stack up has them.",
)
@click.option("--journal", metavar="URL", help="Message's journal, as kafka://...")
@click.option("--store", metavar="URL", help="Message's store, as mongodb://...")
@click.option("--presence", metavar="URL", help="Message's presence, as redis://...")
@click.option(
    "--url",
    callback=_address,
    help="A running Connect, such as ws://127.0.0.1:21005.",
)
@click.option(
    "--pid",
    "pids",
    callback=_pids,
    multiple=True,
    metavar="NAME=PID",
    help="Process whose CPU to read: connect and message with --url; kafka, mongo and "
    "redis if they are not found by their ports; a system of --against, and what "
    "else it consists of, such as tinode.postgres.",
)
@click.option(
    "--key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With --url: the HS256 key for tokens, as in DATA_DIR/token.key.",
)
@click.option(
    "--debug-token", default="", help="With --url: the debug token of its settings."
)
@click.option(
    "--first-user",
    type=click.IntRange(1, 2**62),
    default=1_000_000_000,
    show_default=True,
    help="The first user of the load; the others follow.",
)
@click.option(
    "--set",
    "settings",
    callback=_settings,
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the started daemons, such as connect.limits.window=32.",
)
@click.option(
    "--profile",
    is_flag=False,
    flag_value="both",
    type=click.Choice(["connect", "message", "both"]),
    help="Run saturation (or --only latency, --only logins) with the daemons under "
    "cProfile.",
)
@click.option(
    "--against",
    callback=against_option,
    multiple=True,
    metavar="NAME[=URL]",
    help="Another system to compare with, running at a URL: "
    f"{', '.join(SYSTEMS)}; websockets needs none.",
)
@click.option(
    "--against-key",
    "keys",
    callback=keys_option,
    multiple=True,
    metavar="NAME=FILE",
    help="With --against: the key of a system's tokens, such as centrifugo's.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="Write all figures to a file (- for stdout).",
)
def bench(
    pairs: int,
    seconds: float,
    size: int,
    window: int,
    idle: int,
    members: int,
    logins: int,
    rate: float,
    only: tuple[str, ...],
    stack: bool,
    journal: str | None,
    store: str | None,
    presence: str | None,
    url: tuple[str, int, str] | None,
    pids: dict[str, int],
    key_file: Path | None,
    debug_token: str,
    first_user: int,
    settings: dict[str, str],
    profile: str | None,
    against: dict[str, str],
    keys: dict[str, str],
    json_file: str | None,
) -> None:
    """
    Measure throughput, latency, CPU and memory, and compare them with a bare echo
    server in the same run.

    The command starts twistd message and twistd connect with a folder and ports of
    their own, puts load on them over real WebSockets, and stops them.  It prints
    progress on standard error.  The exit status is 0 if the figures could be
    measured, whatever they are.

    \b
    wsmsg bench                                   everything, about two minutes
    wsmsg bench --only floor,saturation --seconds 5
    wsmsg bench --only latency --rate 2000        an open loop at a fixed rate
    wsmsg bench --profile connect                 a profile of Connect
    wsmsg bench --only group --members 1000       one group with all members connected
    wsmsg bench --only logins                     5,000 logins at once
    wsmsg bench --stack                           on real servers that run already
    wsmsg bench --against centrifugo=ws://127.0.0.1:8000
                                                  the same load on another system
    """
    if against:
        only = only_of(only)
    if profile and against:
        raise click.UsageError("--profile and --against exclude each other")
    if profile and url:
        raise click.UsageError("--profile needs daemons that it starts itself")
    if url and key_file is None and not debug_token:
        raise click.UsageError("--url needs --key-file or --debug-token")
    if json_file and json_file != "-":
        # Before some minutes of work for it.
        _write(json_file, None)
    urls = {"journal": journal, "store": store, "presence": presence}
    if url and (stack or any(urls.values())):
        raise click.UsageError("--stack and backend URLs exclude --url")
    backends = backends_of(urls, os.environ, everything=stack)
    choice = Choice(
        only=_profiled(only) if profile else only,
        pairs=pairs,
        seconds=seconds,
        size=size,
        window=window,
        rate=rate,
        idle=idle,
        members=members,
        logins=logins,
        servers=tuple(b.server for b in backends),
        connects_per_s=400.0 if url else 1000.0,
        first_user=first_user,
    )
    with tempfile.TemporaryDirectory("-wsmsg-profile") as folder:
        names = ("connect", "message") if profile == "both" else (profile,)
        written = {name: Path(folder, name) for name in names if name}

        def start() -> AbstractContextManager[Server]:
            if url is None:
                return daemons(
                    _tell,
                    settings={**settings_of(backends), **settings},
                    profile=written,
                    others=pids_of(backends, pids),
                )
            return nullcontext(_running(url, pids, key_file, debug_token))

        try:
            report: Report | Comparison
            if against:
                report = compare(choice, against, keys, pids, start=start, tell=_tell)
            else:
                report = Bench(choice, start, _tell).run()
        except (BenchFailed, CannotStart) as e:
            raise click.ClickException(str(e)) from None
        text, whole = _written(report)
        for name, path in written.items():
            text += "\n" + profiles.as_text(name, profiles.rows(path))
    # With --json - the table must not be in the way of who reads the JSON.
    say(text, err=json_file == "-")
    if json_file == "-":
        say(whole.decode())
    elif json_file:
        _write(json_file, whole + b"\n")


def _written(report: Report | Comparison) -> tuple[str, bytes]:
    """
    Return a report as text and as JSON.
    """
    if isinstance(report, Comparison):
        return table.as_text(report), table.as_json(report)
    return as_text(report), as_json(report)


def _profiled(only: tuple[str, ...]) -> tuple[str, ...]:
    """
    Run one load on one start of the daemons, each of which writes one profile when it
    ends.
    """
    return only if only in (("latency",), ("logins",)) else ("saturation",)


def _running(
    url: tuple[str, int, str],
    pids: dict[str, int],
    key_file: Path | None,
    debug_token: str,
) -> Server:
    host, port, path = url
    secret = key_file.read_text().strip() if key_file is not None else ""
    return Server(
        host=host,
        port=port,
        path=path,
        pids=pids,
        secret=secret,
        debug_token=debug_token,
    )


def _write(name: str, data: bytes | None) -> None:
    """
    Replace a file by a whole one.

    @param data: L{None}: only find out whether that is possible.
    """
    try:
        if os.path.exists(name) and not os.path.isfile(name):
            # A device, such as /dev/stdout, cannot be replaced.
            Path(name).write_bytes(data or b"")
        else:
            _replace(name, data)
    except OSError as e:
        raise click.ClickException(f"{name} cannot be written: {e.strerror}") from None


def _replace(name: str, data: bytes | None) -> None:
    temporary = f"{name}.new"
    try:
        with open(temporary, "wb") as out:
            out.write(data or b"{}")
        if data is not None:
            os.replace(temporary, name)
    finally:
        with suppress(OSError):
            os.unlink(temporary)


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
