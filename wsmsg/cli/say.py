"""
The output of all commands.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from wsmsg.text.escape import harmless_lines
from wsmsg.text.passwords import without_passwords


def say(text: str = "", *, err: bool = False) -> None:
    """
    Print text, and a line end.  Text of others in it cannot move the cursor, set
    colours or change the direction; its line ends stay.

    @param err: print to C{stderr}.
    """
    click.echo(harmless_lines(text), err=err)


@contextmanager
def harmless_errors() -> Iterator[None]:
    """
    Make what a command raises for the user fit to be printed, likewise without
    passwords of URLs.
    """
    try:
        yield
    except click.ClickException as e:
        vars(e)["message"] = harmless_lines(without_passwords(e.message))
        raise
