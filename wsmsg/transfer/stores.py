"""
The stores that are moved from and to, by the settings of the Message that has them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wsmsg.dependency.retry import RetryPolicy, backoff, retry_policy
from wsmsg.dependency.state import Dependency
from wsmsg.dependency.worker import Worker
from wsmsg.message.journal.sqlite_file import JOURNAL, JournalFile
from wsmsg.message.store.archive import IStoreArchive
from wsmsg.message.store.interface import IMessageStore
from wsmsg.message.store.sqlite.archive import SqliteArchive
from wsmsg.message.store.sqlite.file import STORE
from wsmsg.message.store.sqlite.store import SqliteStore
from wsmsg.settings.sources import resolve_data_dir
from wsmsg.settings.urls.backends import sqlite_path
from wsmsg.settings.values import MessageSettings, RetrySettings
from wsmsg.sqlite.file import InUse, check_free

#: Attempts to open a store; then it is told that it cannot be.
_ATTEMPTS = 5


class NotDrained(Exception):
    """
    What is stored is not all that was accepted, or will not be for long.
    """


def is_embedded(url: str) -> bool:
    """
    Whether it is in a file of this machine.
    """
    return url.startswith("sqlite:")


def archive_of(settings: MessageSettings, reactor: Any) -> IStoreArchive:
    """
    The store of these settings, to be read as a whole; not opened.
    """
    if is_embedded(settings.store):
        worker = Worker("wsmsg-archive", reactor)
        return SqliteArchive(str(_store_path(settings)), worker)
    from wsmsg.message.store.mongo.archive import MongoArchive

    return MongoArchive(
        _mongo_url(settings),
        reactor,
        backoff=backoff(RetrySettings()),
        **_kept(reactor),
    )


def store_of(settings: MessageSettings, reactor: Any) -> IMessageStore:
    """
    The store of these settings, to be written to; not started.
    """
    if is_embedded(settings.store):
        return SqliteStore(str(_store_path(settings)), reactor, **_kept(reactor))
    from wsmsg.message.store.mongo.store import MongoStore

    return MongoStore(
        _mongo_url(settings),
        reactor,
        backoff=backoff(RetrySettings()),
        **_kept(reactor),
    )


def _kept(reactor: Any) -> dict[str, Any]:
    dependency = Dependency("store", reactor)
    return {"retry": reopening(dependency), "dependency": dependency}


def reopening(dependency: Dependency) -> RetryPolicy:
    """
    Give up soon what was never there, and never what was: how long that is waited for
    is L{wsmsg.transfer.retrying.RetryUntil}'s.
    """
    settings = RetrySettings()
    soon = retry_policy(settings.model_copy(update={"attempts": _ATTEMPTS}))
    ever = retry_policy(settings)
    was_up = False

    def changed(dependency: Dependency) -> None:
        nonlocal was_up
        was_up = was_up or dependency.up

    def delay_s(failures: int) -> float | None:
        return ever(failures) if was_up else soon(failures)

    dependency.on_change(changed)
    return delay_s


def check_drained(settings: MessageSettings) -> list[str]:
    """
    Find out whether all that was accepted is stored, as far as files can tell.

    @return: sentences for the operator about what stays behind.
    @raise NotDrained: it is not; with what to do.
    @raise Unavailable: a file cannot be read.
    """
    data_dir = resolve_data_dir(settings)
    if is_embedded(settings.store):
        _check_unused(_store_path(settings), STORE)
    if not is_embedded(settings.journal):
        return ["a Message that runs may store more: see that all of them are stopped"]
    path = sqlite_path(settings.journal, data_dir, "journal.db")
    if not path.exists():
        return []
    _check_unused(path, JOURNAL)
    return _check_settled(JournalFile(str(path)))


def _check_unused(path: Path, schema: Any) -> None:
    if not path.exists():
        return
    try:
        check_free(str(path), schema)
    except InUse as e:
        raise NotDrained(
            f"{e.reason}, and what that accepts from now on would not be in the "
            "export: stop it with SIGTERM, which stores what was accepted"
        ) from None


def _check_settled(journal: JournalFile) -> list[str]:
    try:
        extent = journal.open()
        letters = len(journal.dead_letters(0, 1000))
    finally:
        journal.close()
    if extent.settled < extent.end:
        raise NotDrained(
            f"the journal has {extent.end - extent.settled} records that are accepted "
            "and perhaps not stored: start Message, wait until it is ready, and stop "
            "it with SIGTERM"
        )
    if not letters:
        return []
    count = "1000 or more" if letters == 1000 else str(letters)
    return [f"{count} dead letters stay in the journal: see wsmsg dead-letters"]


def _store_path(settings: MessageSettings) -> Path:
    return sqlite_path(settings.store, resolve_data_dir(settings), "store.db")


def _mongo_url(settings: MessageSettings) -> Any:
    from wsmsg.settings.urls.mongo import read_mongo_url

    return read_mongo_url(settings.store, settings.store_password.get_secret_value())
