"""
The stores of an export and an import, by the settings of the Message that uses them.
"""

from __future__ import annotations

from typing import Any

from wsmsg.dependency.backend import BackendContext
from wsmsg.dependency.retry import RetryPolicy, backoff, retry_policy
from wsmsg.dependency.state import Dependency
from wsmsg.message.backends import journal_backend, store_backend
from wsmsg.message.journal.interface import Backlog
from wsmsg.message.store.archive import IStoreArchive
from wsmsg.message.store.interface import IMessageStore
from wsmsg.settings.sources import resolve_data_dir
from wsmsg.settings.values import MessageSettings, RetrySettings
from wsmsg.text.counted import counted, plural

#: Attempts to open a store that was never up; then the command fails.
_ATTEMPTS = 5


class NotDrained(Exception):
    """
    The store lacks messages that were accepted, or will soon.
    """


def archive_of(settings: MessageSettings, reactor: Any) -> IStoreArchive:
    """
    Make what reads the store of these settings; it is not opened.
    """
    return store_backend(settings).make_archive(_context(settings, reactor))


def store_of(settings: MessageSettings, reactor: Any) -> IMessageStore:
    """
    Make the store of these settings; it is not started.
    """
    return store_backend(settings).make_store(_context(settings, reactor))


def _context(settings: MessageSettings, reactor: Any) -> BackendContext:
    dependency = Dependency("store", reactor)
    return BackendContext(
        settings=settings,
        data_dir=resolve_data_dir(settings),
        reactor=reactor,
        dependency=dependency,
        retry=reopening(dependency, settings.retry),
        backoff=backoff(settings.retry),
    )


def reopening(dependency: Dependency, settings: RetrySettings) -> RetryPolicy:
    """
    Return a policy that gives up early on a store that was never up, and never on one
    that was: L{wsmsg.transfer.retrying.RetryUntil} limits how long the command waits
    for that.
    """
    at_first = retry_policy(settings.model_copy(update={"attempts": _ATTEMPTS}))
    later = backoff(settings)
    was_up = False

    def changed(dependency: Dependency) -> None:
        nonlocal was_up
        was_up = was_up or dependency.up

    dependency.on_change(changed)
    return lambda failures: later(failures) if was_up else at_first(failures)


def check_drained(settings: MessageSettings) -> list[str]:
    """
    Check that all accepted messages are stored, as far as this machine can tell.

    @return: sentences for the operator about what stays behind.
    @raise NotDrained: messages are missing, with what to do.
    @raise Unavailable: a file cannot be read.
    """
    data_dir = resolve_data_dir(settings)
    journal = journal_backend(settings)
    for backend in (store_backend(settings), journal):
        user = backend.used_by(settings, data_dir)
        if user:
            raise NotDrained(
                f"{user}, and messages that it accepts from now on would be missing "
                "in the export: stop it with SIGTERM, which stores all that it accepted"
            )
    backlog = journal.backlog(settings, data_dir)
    if backlog is None:
        return ["a Message that runs may store more: check that all are stopped"]
    if backlog.unsettled:
        some = counted(backlog.unsettled, "record that is", "records that are")
        raise NotDrained(
            f"the journal has {some} accepted and perhaps not stored: start Message, "
            "wait until it is ready, and stop it with SIGTERM"
        )
    return _dead_letters(backlog.dead_letters)


def _dead_letters(number: int) -> list[str]:
    if not number:
        return []
    some = f"{number} or more" if number == Backlog.MOST_DEAD_LETTERS else str(number)
    stay = plural(number, "dead letter stays", "dead letters stay")
    return [f"{some} {stay} in the journal: see wsmsg dead-letters"]
