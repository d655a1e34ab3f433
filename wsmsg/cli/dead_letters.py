"""
C{wsmsg dead-letters}.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import click

from wsmsg.cli.operator.ask import NoAnswer
from wsmsg.cli.operator.listener import AdminListener
from wsmsg.cli.paths import fail
from wsmsg.cli.say import say
from wsmsg.cli.user_options import admin_option
from wsmsg.settings.values import MessageSettings
from wsmsg.text.counted import counted
from wsmsg.text.escape import harmless

_PAGE = 200


def _json_option(command: Any) -> Any:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


@click.group("dead-letters")
def dead_letters() -> None:
    """
    List and replay records that Message could not process.

    Message sets such a record aside with its reason, so that it does not block others,
    and keeps it until it is replayed.

    \b
    Examples:
      wsmsg dead-letters list
      wsmsg dead-letters show 7
      wsmsg dead-letters replay 7 8      after the cause is fixed
      wsmsg dead-letters replay --all
    """


@dead_letters.command("list")
@click.option(
    "--after", type=click.IntRange(0), default=0, help="List only numbers above this."
)
@click.option(
    "--limit", type=click.IntRange(1), default=None, help="Most dead letters to list."
)
@admin_option(MessageSettings)
@_json_option
def list_(after: int, limit: int | None, admin: AdminListener, as_json: bool) -> None:
    """
    List the dead letters, oldest first.
    """
    letters = list(_letters(admin, after, limit))
    if as_json:
        say(json.dumps({"dead_letters": letters}, indent=2))
        return
    if not letters:
        say("There are no dead letters.")
    for letter in letters:
        say(
            f"{letter['number']:>6}  {_when(letter)}  partition {letter['partition']} "
            f"offset {letter['offset']}  {counted(letter['size'], 'byte')}  "
            f"{harmless(letter['reason'])}"
        )


@dead_letters.command()
@click.argument("number", type=click.IntRange(1))
@admin_option(MessageSettings)
@_json_option
def show(number: int, admin: AdminListener, as_json: bool) -> None:
    """
    Show one dead letter in full.
    """
    letter = next(_letters(admin, number - 1, 1), None)
    if letter is None or letter["number"] != number:
        fail(f"there is no dead letter {number}")
    if as_json:
        say(json.dumps(letter, indent=2))
        return
    for name in ("number", "partition", "offset", "size"):
        say(f"{name:10} {letter[name]}")
    say(f"{'time':10} {_when(letter)}")
    say(f"{'reason':10} {harmless(letter['reason'])}")
    if letter["cut"]:
        say("The record was too long to be kept; its first bytes are:")
    for line in _dump(base64.b64decode(letter["value_base64"])):
        say(line)


@dead_letters.command()
@click.argument("numbers", type=click.IntRange(1), nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Replay all dead letters.")
@admin_option(MessageSettings)
@_json_option
def replay(
    numbers: tuple[int, ...], everything: bool, admin: AdminListener, as_json: bool
) -> None:
    """
    Put dead letters back into the journal.

    Message then processes them as if they had just been accepted. The exit status is 0
    only if each of them existed, with all of its record.
    """
    if everything == bool(numbers):
        raise click.UsageError("name numbers, or use --all")
    wanted = list(numbers)
    if everything:
        wanted = [letter["number"] for letter in _letters(admin, 0, None)]
    replayed: list[int] = []
    for at in range(0, len(wanted), _PAGE):
        part = {"numbers": wanted[at : at + _PAGE]}
        replayed += _asked(admin, "/dead-letters/replay", part)["replayed"]
    missing = [number for number in wanted if number not in set(replayed)]
    if as_json:
        say(json.dumps({"replayed": replayed, "missing": missing}))
    else:
        say(f"replayed {len(replayed)}")
    if missing:
        numbers_left = ", ".join(map(str, missing))
        fail(f"not replayed, as they do not exist or were cut short: {numbers_left}")


def _letters(
    admin: AdminListener, after: int, limit: int | None
) -> Iterator[dict[str, Any]]:
    left = limit
    while left is None or left > 0:
        ask_for = _PAGE if left is None else min(left, _PAGE)
        answer = _asked(admin, f"/dead-letters?after={after}&limit={ask_for}")
        found: list[dict[str, Any]] = answer["dead_letters"]
        yield from found
        if not answer["more"] or not found:
            return
        after = found[-1]["number"]
        left = None if left is None else left - len(found)


def _asked(
    admin: AdminListener, path: str, body: object | None = None
) -> dict[str, Any]:
    try:
        return admin.ask(path, body)
    except NoAnswer as error:
        fail(str(error))


def _when(letter: dict[str, Any]) -> str:
    return datetime.fromtimestamp(letter["time_ms"] / 1000, UTC).isoformat(
        sep=" ", timespec="seconds"
    )


def _dump(data: bytes) -> Iterator[str]:
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        text = "".join(chr(b) if 32 <= b < 127 else "." for b in row)
        yield f"{at:06x}  {row.hex(' '):47}  {text}"
