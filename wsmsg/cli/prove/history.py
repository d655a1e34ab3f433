"""
C{wsmsg prove check} and C{wsmsg prove plant}.
"""

from __future__ import annotations

import json
import sys
from typing import NoReturn, TextIO

import click

from wsmsg.cli.say import say
from wsmsg.prove.checker import BadHistory, Verdict
from wsmsg.prove.checker import check as check_history
from wsmsg.prove.history import read_history
from wsmsg.prove.plant import PLANTS, CannotPlant
from wsmsg.prove.plant import plant as plant_in
from wsmsg.prove.report import as_document, as_json, as_text

#: The exit status for a history that cannot be checked.
_NO_HISTORY = 2


class UnusableHistory(click.ClickException):
    """
    A history that cannot be checked; the text names the file, the line and the reason.
    """

    exit_code = _NO_HISTORY


def checked(file: TextIO) -> Verdict:
    """
    Check a history.

    @raise UnusableHistory: it cannot be checked.
    """
    try:
        return check_history(read_history(file))
    except BadHistory as e:
        raise UnusableHistory(f"{file.name}: {e}") from None


@click.command()
@click.argument("history", type=click.File("r", encoding="utf-8"))
@click.option("--json", "as_object", is_flag=True, help="Print one JSON object.")
def check(history: TextIO, as_object: bool) -> None:
    """
    Check a history that wsmsg prove has written (- for standard input).

    The checker reads nothing else, and shares no code with the server.

    Exit statuses: 0 every promise held, 1 one was broken, 2 this is no whole history.
    """
    document = as_document(checked(history))
    say(as_json(document).rstrip() if as_object else as_text(document))
    end_with(document["holds"])


@click.command()
@click.argument("violation", type=click.Choice([*PLANTS]))
@click.argument("history", type=click.File("r", encoding="utf-8"))
def plant(violation: str, history: TextIO) -> None:
    """
    Print a history with one violation more, to see that the checker finds it.

    \b
    loss    an accepted message is not stored           P1
    double  a session is pushed a message twice         P4
    hole    a conversation lacks a number               P3
    swap    two messages of a sender change places      P3
    ghost   a user who is gone is shown as online       P9
    leak    a user gets a message of others             P8
    late    a message is pushed after the next one      P4
    \b
    Example:
      wsmsg prove plant loss run.jsonl | wsmsg prove check -
    """
    try:
        lines = [line for _, line in read_history(history)]
        planted = plant_in(violation, lines)
    except BadHistory as e:
        raise UnusableHistory(f"{history.name}: {e}") from None
    except CannotPlant as e:
        raise click.ClickException(f"{history.name}: {e}") from None
    for line in planted:
        say(json.dumps(line, ensure_ascii=False))


def end_with(good: bool) -> NoReturn:
    """
    End the command with the status of a result.
    """
    sys.exit(0 if good else 1)
