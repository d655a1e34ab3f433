"""
The journal file that an earlier version left beside an embedded store, which has no
journal any more; usually there is none.
"""

from __future__ import annotations

from pathlib import Path

from wsmsg.dependency.backend import BackendContext
from wsmsg.message.journal.interface import Backlog
from wsmsg.message.journal.sqlite import backend
from wsmsg.message.journal.sqlite.journal import SqliteJournal
from wsmsg.settings.values import MessageSettings

SHARED = False


def make_journal(context: BackendContext) -> SqliteJournal | None:
    if files(context.settings, context.data_dir):
        return backend.make_journal(context)
    return None


def probe(settings: MessageSettings, data_dir: Path) -> None:
    if files(settings, data_dir):
        backend.probe(settings, data_dir)


def used_by(settings: MessageSettings, data_dir: Path) -> str:
    return backend.used_by(settings, data_dir)


def files(settings: MessageSettings, data_dir: Path) -> tuple[Path, ...]:
    return tuple(f for f in backend.files(settings, data_dir) if f.exists())


def backlog(settings: MessageSettings, data_dir: Path) -> Backlog:
    return backend.backlog(settings, data_dir)
