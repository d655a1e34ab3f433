"""
C{wsmsg where}.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import click

from wsmsg.cli.operator.listener import AdminListener
from wsmsg.cli.say import say
from wsmsg.cli.user_options import admin_option
from wsmsg.settings.values import MessageSettings
from wsmsg.text.counted import counted
from wsmsg.text.escape import harmless

#: What each stage says, with the details of the stage.
_WORDS = {
    "received": "a session of user {user} on {device!r} received it",
    "accepted": "Message accepted it; this is the time that the sender was told",
    "appended": "it is in the journal: partition {partition}, offset {offset}",
    "stored": "the store has it as number {seq}",
    "pushed": "Message pushed it to {connect} for {users}",
    "written": "put into the outbox of a session of user {user} on {device!r}",
    "answered": "the sender was answered: {code}",
    "delivered": "a device of user {user} has confirmed it",
    "read": "user {user} has read it",
    "dead": "it is dead letter {letter}: {reason}",
}


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="MESSAGE")
@click.option(
    "--conversation",
    default="",
    help="With SENDER CLIENT_ID: look in this conversation only.",
)
@admin_option(MessageSettings)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def where(
    words: tuple[str, ...], conversation: str, admin: AdminListener, as_json: bool
) -> None:
    """
    Show what became of a message, stage by stage.

    MESSAGE is the id of the message, or its conversation and number, or its sender
    and the id that the sender's client gave it.

    \b
    Examples:
      wsmsg where 5044031582654955520
      wsmsg where u:1001:1002 7
      wsmsg where 1001 my-first-message

    Message puts together what the store and the dead letters have, and what it, the
    other Messages and all Connects remember. It names those that did not answer, and
    says what is forgotten (setting life.records). The content is not shown.
    """
    query = _query(words, conversation)
    life = admin.ask(f"/life?{urlencode(query)}")
    if as_json:
        say(json.dumps(life, indent=2))
        return
    for line in _lines(life):
        say(line)


def _query(words: tuple[str, ...], conversation: str) -> dict[str, str]:
    if len(words) == 1:
        if conversation:
            raise click.UsageError("--conversation goes with SENDER CLIENT_ID")
        return {"message_id": words[0]}
    if len(words) == 2 and words[0].startswith(("u:", "g:")):
        if conversation:
            raise click.UsageError("--conversation goes with SENDER CLIENT_ID")
        return {"conversation": words[0], "seq": words[1]}
    if len(words) == 2:
        query = {"from": words[0], "client_id": words[1]}
        return {"conversation": conversation, **query} if conversation else query
    raise click.UsageError(
        "name a message by its id, by conversation and number, or by sender and "
        "client id"
    )


def _lines(life: Mapping[str, Any]) -> Iterator[str]:
    message = life["message"]
    if message is None:
        yield "The message is not in the store."
    else:
        yield (
            f"Message {message['message_id']}: number {message['seq']} of "
            f"{message['conversation']}, client id {harmless(message['client_id'])} "
            f"of user {message['from']}"
        )
    yield ""
    stages = life["stages"]
    width = max((len(_node(s)) for s in stages), default=0)
    for stage in stages:
        since = stage["since_last_ms"]
        after = "" if since is None else f"{since:+d} ms"
        yield (
            f"{stage['stage']:9}  {stage['time'] or '-':24}  {after:>11}  "
            f"{_node(stage):{width}}  {_words(stage)}"
        )
    for note in life["notes"]:
        yield f"* {harmless(note)}"
    yield ""
    nodes = ", ".join(f"{n['kind']} {harmless(n['node'])}" for n in life["nodes"])
    yield f"Asked and answered: {nodes}."
    for each in life["missing"]:
        name, why = harmless(each["node"]), harmless(each["reason"])
        yield f"No answer of {name}: {why}. What it knows is not shown."
    if life["forgotten_before"]:
        yield f"What passed before {life['forgotten_before']} may be forgotten."
    if life["left_out"]:
        yield f"{counted(life['left_out'], 'fact')} more; not listed."


def _node(stage: Mapping[str, Any]) -> str:
    return harmless(stage["node"] or "-")


def _words(stage: Mapping[str, Any]) -> str:
    users = counted(stage.get("recipients") or 0, "user")
    text = _WORDS.get(stage["stage"], stage["stage"])
    return harmless(text.format(**{**stage, "users": users}))
