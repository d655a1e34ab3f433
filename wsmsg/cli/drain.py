"""
C{wsmsg drain} and C{wsmsg rebalance}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from wsmsg.cli.operator.listener import AdminListener
from wsmsg.cli.paths import fail
from wsmsg.cli.say import say
from wsmsg.cli.user_options import admin_option
from wsmsg.settings.values import ConnectSettings
from wsmsg.text.counted import counted

_POLL_MS = 500
_PER_S = click.FloatRange(min=0, max=100_000, min_open=True)


def _connect_option(command: Callable[..., None]) -> Any:
    """
    Add the options that say where Connect is, and how its clients move.
    """
    with_options = admin_option(ConnectSettings)(command)
    for option in (
        click.option(
            "--per-s",
            type=_PER_S,
            help="Clients to ask in a second.  [default: drain.per_s of Connect]",
        ),
        click.option("--no-wait", is_flag=True, help="Do not wait until it is done."),
    ):
        with_options = option(with_options)
    return with_options


@click.command()
@_connect_option
@click.option(
    "--lead-s",
    type=click.FloatRange(0, 600),
    help="Seconds to serve newcomers first.  [default: drain.lead_s of Connect]",
)
@click.option("--undo", is_flag=True, help="End the drain, and serve clients again.")
def drain(
    admin: AdminListener,
    per_s: float | None,
    lead_s: float | None,
    no_wait: bool,
    undo: bool,
) -> None:
    """
    Have all clients of a Connect move to others.

    Connect ends its readiness, serves newcomers for the lead time, and then refuses
    them and asks its clients to move, at a pace that the other Connects can bear. It
    names the Connects that have room (those with a public_url). Nothing is lost.
    Connect goes on running: stop it when this command has ended, or undo the drain.

    \b
    Examples:
      wsmsg drain --per-s 500
      wsmsg drain --undo
    """
    if undo:
        admin.ask("/drain", method="DELETE")
        say("The drain is undone: Connect serves clients again.")
        return
    admin.ask("/drain", _given(per_s=per_s, lead_s=lead_s))
    if no_wait:
        say("Connect drains.  `wsmsg status` shows how far it is.")
        return
    _follow(admin, lambda moves: moves["phase"] == "drained")
    say("Drained: no client is left.")


@click.command()
@_connect_option
def rebalance(admin: AdminListener, per_s: float | None, no_wait: bool) -> None:
    """
    Move the clients of a Connect that are above its share to others.

    The share of a Connect is that of its limits.connections in those of all Connects.
    Run this for each Connect after one was added.
    """
    answer = admin.ask("/rebalance", _given(per_s=per_s))
    moving = answer["moving"]
    if not moving:
        say("Nothing to move: this Connect has no more clients than its share.")
        return
    say(f"{counted(moving, 'client')} above its share.")
    if not no_wait:
        _follow(admin, lambda moves: not moves["to_ask"])
        say("Rebalanced.")


def _given(**values: float | None) -> dict[str, float]:
    return {name: value for name, value in values.items() if value is not None}


def _follow(admin: AdminListener, is_done: Callable[[dict[str, Any]], bool]) -> None:
    """
    Show the progress of the moves until they are done, a line for each change.
    """
    shown = ""
    while True:
        moves = admin.ask(f"/drain?after_ms={0 if not shown else _POLL_MS}")
        line = (
            f"{moves['phase']}: {counted(moves['to_ask'], 'client')} to ask,"
            f" {counted(moves['connections'], 'connection')} open"
        )
        if moves["others_busy"]:
            line += "; waiting, as no other Connect takes clients"
        if line != shown:
            say(line)
            shown = line
        if is_done(moves):
            return
        if moves["phase"] == "serving" and not moves["to_ask"]:
            fail("the drain was undone meanwhile")
