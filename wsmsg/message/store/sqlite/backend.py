"""
The embedded store, made for the settings of a Message.
"""

from __future__ import annotations

from pathlib import Path

from wsmsg.dependency.backend import BackendContext
from wsmsg.dependency.worker import Worker
from wsmsg.message.store.sqlite.archive import SqliteArchive
from wsmsg.message.store.sqlite.file import STORE
from wsmsg.message.store.sqlite.store import SqliteStore
from wsmsg.settings.urls.backends import sqlite_path
from wsmsg.settings.values import MessageSettings
from wsmsg.sqlite.file import check_free, user_of

SHARED = False


def make_store(context: BackendContext) -> SqliteStore:
    return SqliteStore(
        _path(context.settings, context.data_dir),
        context.reactor,
        retry=context.retry,
        dependency=context.dependency,
    )


def make_archive(context: BackendContext) -> SqliteArchive:
    path = _path(context.settings, context.data_dir)
    return SqliteArchive(path, Worker("wsmsg-archive", context.reactor))


def probe(settings: MessageSettings, data_dir: Path) -> None:
    check_free(_path(settings, data_dir), STORE)


def used_by(settings: MessageSettings, data_dir: Path) -> str:
    return user_of(_path(settings, data_dir), STORE)


def files(settings: MessageSettings, data_dir: Path) -> tuple[Path, ...]:
    return (Path(_path(settings, data_dir)),)


def _path(settings: MessageSettings, data_dir: Path) -> str:
    return str(sqlite_path(settings.store, data_dir, "store.db"))
