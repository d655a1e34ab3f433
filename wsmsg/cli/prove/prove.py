"""
C{wsmsg prove}.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from wsmsg.cli.paths import config_option, data_dir_option, fail, settings_of
from wsmsg.cli.prove.history import check, end_with, plant
from wsmsg.cli.say import say
from wsmsg.cli.sign import TOKENS, TokenSigner
from wsmsg.prove.campaign.proof import FAULTS, CannotProve, Proof, ProofPlan
from wsmsg.prove.campaign.target import (
    Target,
    Unreachable,
    embedded,
    remote,
    served,
)
from wsmsg.prove.deployment.servers import NoServers, addresses, local_servers
from wsmsg.prove.report import as_json, as_text
from wsmsg.settings.sources import resolve_data_dir
from wsmsg.settings.values import ConnectSettings

#: Faults of servers that may serve others too: only if they are named.
_OF_SERVERS = {"broker", "store", "users"}
_EXTRA_S = 3600.0
_RESERVED = 4_000_000_000_000_000
_ROOM = 1_000_000


def _names(
    context: click.Context, parameter: click.Parameter, value: str
) -> tuple[str, ...]:
    names = tuple(name.strip() for name in value.split(",") if name.strip())
    for name in names:
        if name not in FAULTS:
            raise click.BadParameter(f"{name!r} is not one of {', '.join(FAULTS)}")
    return names


@click.group(invoke_without_command=True)
@click.option(
    "--url",
    "urls",
    multiple=True,
    metavar="URL",
    help="A Connect of a deployment that runs already; repeat it for each Connect.",
)
@click.option(
    "--embedded",
    "is_embedded",
    is_flag=True,
    help="Start a Message and a Connect with embedded files.  [default]",
)
@click.option(
    "--stack",
    "is_stack",
    is_flag=True,
    help="Start two Messages and two Connects on the Kafka, MongoDB and Redis that "
    "WSMSG_STACK_KAFKA, _MONGO and _REDIS name.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(0.1, 10_080),
    default=3.0,
    show_default=True,
    help="How long faults are injected.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    help="Chooses the faults, their order and what they hit.  [default: a random one]",
)
@click.option(
    "--faults",
    callback=_names,
    default="",
    metavar="NAME,...",
    help=f"Of {', '.join(FAULTS)}.  [default: all that the deployment can have; "
    "broker, store and users only if they are named]",
)
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the report to this file, as JSON.",
)
@click.option(
    "--history",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the history to this file.  [default: a temporary file, which stays if "
    "a promise was broken]",
)
@click.option(
    "--first-user",
    type=click.IntRange(1, 2**53 - 100),
    help="With --url: the first of 32 users, who must not exist.  [default: random "
    f"ones above {_RESERVED}]",
)
@config_option("With --url: Connect's settings file; tokens are signed as it expects.")
@click.option(
    "--token-key",
    "key_file",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="With --url: the private key for tokens, as --key of wsmsg token.",
)
@click.option("--kid", default="", help="The id of that key in the issuer's key set.")
@data_dir_option
@click.pass_context
def prove(
    context: click.Context,
    urls: Sequence[str],
    is_embedded: bool,
    is_stack: bool,
    minutes: float,
    seed: int | None,
    faults: tuple[str, ...],
    report: Path | None,
    history: Path | None,
    first_user: int | None,
    config: Path | None,
    key_file: Path | None,
    kid: str,
    data_dir: Path | None,
) -> None:
    """
    Prove the promises: inject faults under load, and check what clients saw.

    Users talk, in pairs and in a group, come and go, while daemons are killed and
    suspended, connections cut, clocks set and disks filled.  Everything that clients
    do and see is written to a history, and at the end a checker that shares no code
    with the server decides whether the promises P1 to P10 held.

    With --url the command does only what clients may: it reconnects, reads slowly, and
    sends within the limits.  It uses new users, and recalls their messages at the end.

    Exit statuses: 0 every promise held, 1 one was broken, or the run was not possible.

    \b
    Examples:
      wsmsg prove --minutes 10
      wsmsg prove --faults kill,stop --seed 7 --report report.json
      wsmsg prove --url wss://chat.example.com/api/v1/connect/ws --config wsmsg.toml
    """
    if context.invoked_subcommand is not None:
        return
    if sum((bool(urls), is_embedded, is_stack)) > 1:
        raise click.UsageError("--url, --embedded and --stack exclude each other")
    if not urls and (config or key_file or first_user):
        raise click.UsageError("--config, --token-key and --first-user need --url")
    plan = ProofPlan(
        minutes=minutes,
        seed=random.randrange(2**32) if seed is None else seed,
        history=history or _temporary(),
        faults=faults,
    )

    async def target() -> Target:
        if urls:
            signer = _signer(config, key_file, kid, data_dir)
            first = first_user or _RESERVED + secrets.randbelow(_ROOM) * 1000
            return await remote(urls, _tokens(signer, minutes), first)
        if is_stack:
            wanted = _OF_SERVERS & {*faults}
            servers = local_servers(os.environ) if wanted else {}
            return await served(addresses(os.environ), servers)
        return await embedded()

    say(f"seed {plan.seed}", err=True)
    document = _run(plan, target, history is None)
    say(as_text(document))
    if report is not None:
        report.write_text(as_json(document), encoding="utf-8")
    if history is None and document["holds"]:
        plan.history.unlink()
    else:
        say(f"the history is {plan.history}")
    end_with(document["holds"])


prove.add_command(check)
prove.add_command(plant)


def _run(
    plan: ProofPlan, target: Callable[[], Any], is_temporary: bool
) -> dict[str, Any]:
    async def body() -> dict[str, Any]:
        deployment = await target()
        try:
            return await Proof(plan, deployment, _tell).run()
        finally:
            await deployment.close()

    try:
        return asyncio.run(body())
    except (CannotProve, NoServers, Unreachable) as e:
        if is_temporary:
            plan.history.unlink(missing_ok=True)
        fail(str(e))
    except KeyboardInterrupt:
        fail(f"interrupted; {plan.history} is cut short")


def _signer(
    config: Path | None, key_file: Path | None, kid: str, data_dir: Path | None
) -> TokenSigner:
    settings = settings_of(ConnectSettings, config, data_dir, needs=TOKENS)
    key = key_file.read_text("ascii") if key_file is not None else ""
    folder = resolve_data_dir(settings)
    return TokenSigner(settings.token, folder, key, kid, settings.users.names)


def _tokens(signer: TokenSigner, minutes: float) -> Callable[[int], str]:
    return lambda user: signer.sign(user, minutes * 60 + _EXTRA_S, time.time())


def _temporary() -> Path:
    handle, name = tempfile.mkstemp(prefix="wsmsg-prove-", suffix=".jsonl")
    os.close(handle)
    return Path(name)


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
