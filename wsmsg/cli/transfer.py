"""
Options, progress and exit of C{wsmsg export} and C{wsmsg import}.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from wsmsg.cli.paths import concerns, fail
from wsmsg.cli.say import say
from wsmsg.settings.mistakes import SettingsMistakes
from wsmsg.settings.sources import Sources, read_settings
from wsmsg.settings.values import MessageSettings
from wsmsg.text.counted import counted

if TYPE_CHECKING:
    from wsmsg.transfer.retrying import RetryUntil

T = TypeVar("T")

_EVERY_S = 2.0

#: The settings that say where the store and the journal are.
_NEEDS = (
    *("data_dir", "journal", "store", "store_password"),
    *("kafka.", "mongo.", "retry.", "users."),
)

#: The longest that a store may be away in the middle.
_AWAY_S = 60.0


def store_options(command: Any) -> Any:
    """
    Options that choose the store: the store of a Message with the same settings.
    """
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
        click.option(
            "--data-dir",
            type=click.Path(file_okay=False),
            help="The data directory.  [default: as Message's]",
        ),
        click.option(
            "--store",
            metavar="URL",
            help="The store.  [default: as in the settings]",
        ),
        click.option(
            "--config",
            type=click.Path(path_type=Path),
            help="The settings file of the Message that has the store.",
        ),
    ):
        command = option(command)
    return command


def settings_of(
    config: Path | None, store: str | None, data_dir: str | None
) -> MessageSettings:
    """
    Read the settings of Message from the same sources as Message.  Prefer the settings
    file or the environment for a URL with a password: command lines are visible to
    other users.
    """
    given = [("--store", "store", store), ("--data-dir", "data_dir", data_dir)]
    options = tuple((name, key, value) for name, key, value in given if value)
    sources = Sources(file=config, environ=os.environ, options=options)
    checked = read_settings(MessageSettings, sources)
    fatal = [m for m in checked.mistakes if concerns(m, _NEEDS)]
    if fatal:
        say(SettingsMistakes(fatal).text(), err=True)
        raise SystemExit(2)
    for mistake in checked.mistakes:
        say(f"warning: {mistake}", err=True)
    return checked.settings


def tell(text: str) -> None:
    """
    Print a line of progress.
    """
    say(text, err=True)


def retrying(settings: MessageSettings, reactor: Any) -> RetryUntil:
    """
    Return a function that retries calls while the store is unreachable, for at most a
    minute, and reports that on standard error.
    """
    from wsmsg.dependency.retry import backoff
    from wsmsg.transfer.retrying import RetryUntil

    return RetryUntil(reactor, _AWAY_S, tell, backoff=backoff(settings.retry))


def amount(messages: int, conversations: int) -> str:
    """
    Return how much was transferred, in words.
    """
    some = counted(messages, "message")
    return f"{some} in {counted(conversations, 'conversation')}"


class ProgressLine:
    """
    Prints the progress every two seconds.
    """

    def __init__(self, what: str, now_s: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._now_s = now_s
        self._began = self._next = now_s()
        self._next += _EVERY_S

    @property
    def seconds(self) -> float:
        return self._now_s() - self._began

    def at(self, messages: int, conversations: int) -> None:
        if self._now_s() >= self._next:
            self._next = self._now_s() + _EVERY_S
            each = messages / max(self.seconds, 0.001)
            tell(f"{self._what} {amount(messages, conversations)}, {each:.0f} a second")


def run(work: Callable[[Any], Coroutine[Any, Any, T]], known: tuple[Any, ...]) -> T:
    """
    Run a task on a reactor, and exit with status 1 and one line if it fails with a
    known exception.

    @param known: the exceptions whose text is for the operator.
    @raise OSError: one of C{known}: the caller knows which file it was.
    """
    from twisted.internet.defer import Deferred
    from twisted.internet.task import react

    from wsmsg.daemon.reactor import make_monotonic

    logging.disable()
    done: list[T] = []
    failed: list[BaseException] = []

    async def kept(reactor: Any) -> None:
        make_monotonic(reactor)
        try:
            done.append(await work(reactor))
        except known as e:
            failed.append(e)

    try:
        react(lambda reactor: Deferred.fromCoroutine(kept(reactor)), ())
    except SystemExit as e:
        if e.code:
            raise
    if failed and isinstance(failed[0], OSError):
        raise failed[0]
    if failed:
        fail(str(failed[0]))
    if not done:
        fail("it was interrupted")
    return done[0]


def show(summary: dict[str, Any], text: str, *, as_json: bool, err: bool) -> None:
    """
    Print the result: a sentence, or JSON.

    @param err: print on standard error, because standard output is the file.
    """
    say(json.dumps(summary) if as_json else text, err=err)
    sys.stdout.flush()
