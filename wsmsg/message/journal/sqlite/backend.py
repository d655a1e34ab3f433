"""
The embedded journal, made for the settings of a Message.
"""

from __future__ import annotations

from pathlib import Path

from wsmsg.dependency.backend import BackendContext
from wsmsg.message.journal.interface import Backlog
from wsmsg.message.journal.sqlite.file import JOURNAL, JournalFile
from wsmsg.message.journal.sqlite.journal import SqliteJournal
from wsmsg.settings.urls.backends import sqlite_path
from wsmsg.settings.values import MessageSettings
from wsmsg.sqlite.file import check_free, user_of

SHARED = False


def make_journal(context: BackendContext) -> SqliteJournal:
    return SqliteJournal(
        str(_path(context.settings, context.data_dir)),
        context.reactor,
        retry=context.retry,
        dependency=context.dependency,
    )


def probe(settings: MessageSettings, data_dir: Path) -> None:
    check_free(str(_path(settings, data_dir)), JOURNAL)


def used_by(settings: MessageSettings, data_dir: Path) -> str:
    return user_of(str(_path(settings, data_dir)), JOURNAL)


def files(settings: MessageSettings, data_dir: Path) -> tuple[Path, ...]:
    return (_path(settings, data_dir),)


def backlog(settings: MessageSettings, data_dir: Path) -> Backlog:
    path = _path(settings, data_dir)
    if not path.exists():
        return Backlog(0, 0)
    journal = JournalFile(str(path))
    try:
        extent = journal.open()
        letters = len(journal.dead_letters(0, Backlog.MOST_DEAD_LETTERS))
    finally:
        journal.close()
    return Backlog(extent.end - extent.settled, letters)


def _path(settings: MessageSettings, data_dir: Path) -> Path:
    return sqlite_path(settings.journal, data_dir, "journal.db")
