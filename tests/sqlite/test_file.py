"""
Tests for L{wsmsg.sqlite.file}.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing

from twisted.trial.unittest import SynchronousTestCase

from tests.message.sqlite_paths import copy, path_for
from wsmsg.dependency.reopen import Broken
from wsmsg.errors import Unavailable
from wsmsg.message.journal.sqlite.file import JOURNAL
from wsmsg.message.store.sqlite.file import STORE
from wsmsg.sqlite.file import SqliteFile, Unfit, check_free
from wsmsg.sqlite.schema import check_version

# Owns the file until its standard input ends.
_OWNER = """
import sys
from wsmsg.message.journal.sqlite.file import JOURNAL
from wsmsg.sqlite.file import SqliteFile
SqliteFile(sys.argv[1], JOURNAL).open()
print("open", flush=True)
sys.stdin.read()
"""


class SqliteFileTests(SynchronousTestCase):
    """
    L{SqliteFile} and L{check_free}.
    """

    def setUp(self) -> None:
        self.path = path_for(self)
        self.file = SqliteFile(self.path, JOURNAL)
        self.addCleanup(self.file.close)

    def reason(self) -> str:
        """
        Return why the file cannot be opened; L{check_free} must give the same reason.
        """
        why = self.assertRaises(Unavailable, self.file.open)
        checked = self.assertRaises(Unavailable, check_free, self.path, JOURNAL)
        self.assertEqual(checked.reason, why.reason)
        self.assertIs(type(checked), type(why))
        self.assertIn(self.path, why.reason)
        self.assertNotIn("\n", why.reason)
        return str(why.reason)

    def test_second_process(self) -> None:
        """
        While a process has the file, another one is told its pid, and gets the file
        once that process is killed.
        """
        owner = subprocess.Popen(
            [sys.executable, "-c", _OWNER, os.path.abspath(self.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with owner:
            assert owner.stdout is not None
            self.assertEqual(owner.stdout.readline(), b"open\n")
            self.assertEqual(
                self.reason(), f"journal {self.path} is in use by process {owner.pid}"
            )
            owner.send_signal(signal.SIGKILL)
        check_free(self.path, JOURNAL)
        self.file.open()

    def test_check_leaves_nothing(self) -> None:
        """
        The check opens nothing that a fork would share, and creates no database.
        """
        fds, threads = os.listdir("/proc/self/fd"), threading.active_count()
        check_free(self.path, JOURNAL)
        self.file.open()
        self.file.close()
        check_free(self.path, JOURNAL)
        self.assertEqual(len(os.listdir("/proc/self/fd")), len(fds))
        self.assertEqual(threading.active_count(), threads)

    def test_missing_folder(self) -> None:
        """
        A missing directory is created, for its owner only.
        """
        self.path = os.path.join(path_for(self) + ".d", "deep", "journal.db")
        check_free(self.path, JOURNAL)
        mode = os.stat(os.path.dirname(self.path)).st_mode & 0o777
        self.assertEqual(mode, 0o700)

    def test_no_folder(self) -> None:
        """
        A directory that cannot be written is named with the reason.
        """
        self.path = "/proc/wsmsg/journal.db"
        self.file = SqliteFile(self.path, JOURNAL)
        self.assertIn("directory /proc/wsmsg: No such file", self.reason())

    def test_is_a_folder(self) -> None:
        """
        A path that is a directory is refused.
        """
        os.mkdir(self.path)
        self.assertIn("Is a directory", self.reason())

    def test_is_a_pipe(self) -> None:
        """
        A pipe is refused; nobody waits for its other end.
        """
        os.mkfifo(self.path)
        self.assertIn("it is not a regular file", self.reason())

    def test_damaged(self) -> None:
        """
        A file that is not a SQLite file is called damaged and is not changed.
        """
        with open(self.path, "wb") as f:
            f.write(b"x" * 5000)
        self.assertIn("damaged", self.reason())
        self.assertRaises(Broken, self.file.open)
        self.assertEqual(os.stat(self.path).st_size, 5000)

    def test_damaged_inside(self) -> None:
        """
        Damage behind the header is reported as damage when it is read.
        """
        self.file.open()
        self.file.close()
        with open(self.path, "r+b") as f:
            f.seek(100)
            f.write(b"\xff" * (os.stat(self.path).st_size - 100))
        why = self.assertRaises(Broken, self.file.open)
        self.assertIn("damaged", why.reason)

    def test_newer(self) -> None:
        """
        A file of a newer version is refused, with both versions named.
        """
        self.file.open()
        self.file.run("PRAGMA user_version = 7")
        self.file.close()
        why = f"its schema is 7, this one knows up to {JOURNAL.version}"
        self.assertIn(why, self.reason())

    def test_newer_after_a_kill(self) -> None:
        """
        A newer version is noticed even if it is only in the write-ahead log.
        """
        self.file.open()
        self.file.run("PRAGMA user_version = 7")
        killed = path_for(self)
        copy(self.path, killed)
        why = self.assertRaises(Broken, SqliteFile(killed, JOURNAL).open)
        self.assertIn("newer wsmsg", why.reason)

    def test_another_kind(self) -> None:
        """
        A store is not taken for a journal, nor is the database of another program.
        """
        store = SqliteFile(self.path, STORE)
        store.open()
        store.close()
        self.assertIn("is not a journal", self.reason())
        foreign = path_for(self)
        with closing(sqlite3.connect(foreign)) as db:
            db.execute("CREATE TABLE accounts (id)")
        why = self.assertRaises(Broken, SqliteFile(foreign, JOURNAL).open)
        self.assertIn("is not a journal", why.reason)

    def test_old_sqlite(self) -> None:
        """
        A SQLite that is too old is refused, with the version that is needed.
        """
        check_version((3, 38, 0))
        why = self.assertRaises(Broken, check_version, (3, 37, 2))
        self.assertEqual(
            why.reason, "SQLite 3.38.0 or newer is needed, this Python has 3.37.2"
        )

    def test_opened_again(self) -> None:
        """
        Opening an open file opens it anew, with its content.
        """
        self.file.open()
        self.file.run("UPDATE position SET settled = 5")
        self.file.open()
        self.assertEqual(self.file.row("SELECT settled FROM position"), (5,))

    def test_not_open(self) -> None:
        """
        A file that is not open refuses statements.
        """
        self.assertRaises(Unavailable, self.file.run, "SELECT 1")
        self.file.close()

    def test_transaction(self) -> None:
        """
        A transaction that raises leaves no change.
        """
        self.file.open()
        with self.assertRaises(Unfit):
            with self.file.transaction():
                self.file.run("UPDATE position SET settled = 5")
                self.file.run("UPDATE position SET settled = NULL")
        self.assertEqual(self.file.row("SELECT settled FROM position"), (0,))
        with self.file.transaction():
            self.file.run("UPDATE position SET settled = 6")
        self.assertEqual(self.file.row("SELECT settled FROM position"), (6,))

    def test_durable(self) -> None:
        """
        SQLite syncs each commit to the disk before it returns.
        """
        self.file.open()
        self.assertEqual(self.file.row("PRAGMA synchronous"), (2,))
        self.assertEqual(self.file.row("PRAGMA journal_mode"), ("wal",))
