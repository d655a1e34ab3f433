"""
Tests for C{wsmsg export} and C{wsmsg import}, as processes.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.message.store.cursor_contract import said
from wsmsg.message.journal.sqlite.file import JournalFile
from wsmsg.message.store.sqlite.file import StoreWriter
from wsmsg.model import Cursor

_WSMSG = "import sys; from wsmsg.cli.main import main; sys.exit(main())"


class Folder(SynchronousTestCase):
    """
    A directory with the data of a Message, C{here}, and one without, C{there}.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.here, self.there = self.folder / "here", self.folder / "there"
        for folder in (self.here, self.there):
            folder.mkdir(parents=True)
        self.file = str(self.folder / "store.jsonl")

    def stored(self, count: int = 30, conversations: int = 3) -> None:
        """
        Put some conversations into the store.
        """
        store = StoreWriter(str(self.here / "store.db"))
        store.open()
        for n in range(1, conversations + 1):
            name = f"u:{n}:{n + 1}"
            for first in range(1, count + 1, 1000):
                last = min(first + 1000, count + 1)
                some = [
                    said(i, conversation=name, content="x" * 200, time_ms=2**40 + i)
                    for i in range(first, last)
                ]
                store.insert(some, 5)
            store.move_cursors([Cursor(name, n, count, 1)])
        store.close()

    def command(self, *arguments: str) -> list[str]:
        """
        The command line of C{wsmsg}.
        """
        return [sys.executable, "-c", _WSMSG, *arguments]

    @property
    def environ(self) -> dict[str, str]:
        """
        The environment, with the settings of the test only.
        """
        return {k: v for k, v in os.environ.items() if not k.startswith("WSMSG_")}

    def run_(
        self, *arguments: str, stdin: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        """
        Run a command to its end.
        """
        return subprocess.run(
            self.command(*arguments),
            input=stdin,
            capture_output=True,
            env=self.environ,
            timeout=120,
            check=False,
        )

    def good(self, *arguments: str) -> dict[str, Any]:
        """
        Run a command with C{--json} and check that it succeeds.
        """
        done = self.run_(*arguments, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def bad(self, *arguments: str, status: int = 1, stdin: bytes = b"") -> str:
        """
        Run a command and check that it fails with a line and no traceback.
        """
        done = self.run_(*arguments, stdin=stdin)
        told = done.stderr.decode()
        self.assertEqual(done.returncode, status, told)
        self.assertNotIn("Traceback", told)
        return told

    def export(self, *more: str) -> dict[str, Any]:
        """
        Export the store of C{here}.
        """
        return self.good("export", "--data-dir", str(self.here), self.file, *more)

    def import_(self, *more: str) -> dict[str, Any]:
        """
        Import the file into C{there}.
        """
        return self.good("import", "--data-dir", str(self.there), self.file, *more)

    def peak_kib(self, *arguments: str) -> int:
        """
        Run a command.

        @return: its peak memory in KiB.
        """
        process = subprocess.Popen(
            self.command(*arguments),
            env=self.environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0)
        return usage.ru_maxrss


class MoveTests(Folder):
    """
    Moves of a store.
    """

    def test_there_and_back(self) -> None:
        """
        The imported store has the counts and the hash of the exported one.
        """
        self.stored()
        out = self.export()
        self.assertEqual(
            (out["conversations"], out["messages"], out["cursors"]), (3, 90, 3)
        )
        done = self.import_()
        self.assertEqual((done["written"], done["already_there"]), (90, 0))
        self.assertEqual(done["sha256"], out["sha256"])
        self.assertEqual(self.import_()["already_there"], 90)
        self.assertTrue(self.import_("--verify")["same"])
        back = str(self.folder / "back.jsonl")
        again = self.good("export", "--data-dir", str(self.there), back)
        self.assertEqual(again["sha256"], out["sha256"])
        self.assertEqual(os.stat(back).st_mode & 0o777, 0o600)

    def test_epoch(self) -> None:
        """
        A store without messages takes the epoch of the file, also if its import was
        interrupted; one with messages keeps its own, and the command says so.
        """
        self.stored()
        self.export()
        with open(self.file) as lines:
            epoch = json.loads(lines.readline())["epoch"]
        self.assertRegex(epoch, "^[0-9a-f]{16}$")
        self.assertEqual(self.import_()["epoch"], epoch)
        self.assertEqual(self.import_()["epoch"], epoch)
        own = StoreWriter(str(self.there / "store.db"))
        own.open()
        renewed = own.history.renew(epoch)
        own.close()
        self.assertEqual(self.import_()["epoch"], renewed)
        there = ("--data-dir", str(self.there))
        told = self.run_("import", *there, self.file).stdout.decode()
        self.assertIn(f"the store has an epoch of its own, {renewed}", told)

    def test_file_without_epoch(self) -> None:
        """
        A file of an earlier version has no epoch, and the store keeps its own.
        """
        self.stored()
        self.export()
        path = Path(self.file)
        header, rest = path.read_bytes().split(b"\n", 1)
        older = json.loads(header)
        del older["epoch"]
        path.write_bytes(json.dumps(older).encode() + b"\n" + rest)
        self.assertRegex(self.import_()["epoch"], "^[0-9a-f]{16}$")
        path.write_bytes(header.replace(b'"epoch":"', b'"epoch":"x') + b"\n" + rest)
        told = self.bad("import", "--data-dir", str(self.there), self.file)
        self.assertIn("epoch", told)

    def test_pipe(self) -> None:
        """
        Both commands work in a pipe, with nothing but the file on standard output.
        """
        self.stored()
        out = self.run_("export", "--data-dir", str(self.here), "-")
        self.assertEqual(out.returncode, 0, out.stderr)
        there = ("--data-dir", str(self.there))
        done = self.run_("import", *there, "-", stdin=out.stdout)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"imported 90 messages in 3 conversations", done.stdout)
        self.bad("import", *there, "-", stdin=out.stdout[:9000])

    def test_verify_tells(self) -> None:
        """
        Differences from the file are reported, with status 1, and nothing is written.
        """
        self.stored()
        self.export()
        self.stored_there(said(1, content="other"))
        done = self.run_("import", "--verify", "--data-dir", str(self.there), self.file)
        self.assertEqual(done.returncode, 1)
        told = done.stdout.decode()
        self.assertIn("line 2: message 1 of u:1:2 has another time_ms, content", told)
        self.assertIn("92 records of the file are missing", told)
        self.assertIn("1 differs there", told)

    def stored_there(self, *messages: Any) -> None:
        """
        Put messages into the store of C{there}.
        """
        store = StoreWriter(str(self.there / "store.db"))
        store.open()
        store.insert(messages, 5)
        store.close()

    def test_conflict(self) -> None:
        """
        A conflicting message in the store is reported with the line of the file.
        """
        self.stored()
        self.export()
        self.stored_there(said(1, "another"))
        told = self.bad("import", "--data-dir", str(self.there), self.file)
        self.assertIn("Error: line 2: message 1 of u:1:2: another message", told)

    def test_altered(self) -> None:
        """
        An altered file is reported, and nothing after the alteration is imported.
        """
        self.stored()
        self.export()
        file = Path(self.file)
        file.write_bytes(file.read_bytes().replace(b"x", b"y", 1))
        told = self.bad("import", "--data-dir", str(self.there), self.file)
        self.assertIn("between line 2 and line 95 was altered", told)
        self.assertFalse((self.there / "store.db").exists())


class RefusedTests(Folder):
    """
    Moves that are refused before anything is written.
    """

    def test_no_store(self) -> None:
        """
        An export without a store is an error, and makes neither a store nor a file.
        """
        told = self.bad("export", "--data-dir", str(self.here), self.file)
        self.assertIn(f"there is no store {self.here}/store.db", told)
        self.assertEqual(os.listdir(self.here), [])
        self.assertEqual(sorted(os.listdir(self.folder)), ["here", "there"])

    def test_no_file(self) -> None:
        """
        A missing file is reported.
        """
        told = self.bad("import", "--data-dir", str(self.there), self.file)
        self.assertIn("store.jsonl cannot be read: No such file", told)

    def test_not_overwritten(self) -> None:
        """
        An older export stays.
        """
        self.stored()
        self.export()
        told = self.bad("export", "--data-dir", str(self.here), self.file)
        self.assertIn("exists: remove it", told)

    def test_bad_settings(self) -> None:
        """
        An invalid store is a mistake in the command line.
        """
        told = self.bad("export", "--store", "file:x", self.file, status=2)
        self.assertIn("--store", told)
        self.assertIn("store", told)

    def test_in_use(self) -> None:
        """
        While a Message runs, nothing is exported unless C{--as-is} is given, and
        nothing is imported.
        """
        self.stored()
        journal = JournalFile(str(self.here / "journal.db"))
        store = StoreWriter(str(self.here / "store.db"))
        for opened in (journal, store):
            opened.open()
            self.addCleanup(opened.close)
        told = self.bad("export", "--data-dir", str(self.here), self.file)
        self.assertIn(f"is in use by process {os.getpid()}", told)
        self.assertIn("stop it with SIGTERM", told)
        self.assertEqual(self.export("--as-is")["messages"], 90)
        with open(self.file) as lines:
            # The store goes on, and the file is an older copy of it.
            self.assertEqual(json.loads(lines.readline())["epoch"], "")
        told = self.bad("import", "--data-dir", str(self.here), self.file)
        self.assertIn(f"is in use by process {os.getpid()}", told)

    def test_unsettled(self) -> None:
        """
        Records that are accepted and may not be stored are reported, with a remedy.
        """
        self.stored()
        journal = JournalFile(str(self.here / "journal.db"))
        journal.open()
        journal.append([b"one", b"two"], 0)
        journal.close()
        told = self.bad("export", "--data-dir", str(self.here), self.file)
        self.assertIn("the journal has 2 records that are accepted", told)
        self.assertIn("start Message", told)
        self.assertEqual(self.export("--as-is")["messages"], 90)


class LongTests(Folder):
    """
    Large and interrupted moves.
    """

    def test_memory(self) -> None:
        """
        A hundred thousand messages need little more memory than a thousand.
        """
        peaks = []
        for count in (500, 50_000):
            self.setUp()
            self.stored(count, conversations=2)
            peaks.append(
                (
                    self.peak_kib("export", "--data-dir", str(self.here), self.file),
                    self.peak_kib("import", "--data-dir", str(self.there), self.file),
                )
            )
            self.assertTrue(self.import_("--verify")["same"])
        (few_out, few_in), (many_out, many_in) = peaks
        # The files have 0.3 and 35 MiB; SQLite may keep 16 MiB of each file.
        self.assertLess(many_out - few_out, 24_000)
        self.assertLess(many_in - few_in, 40_000)

    def test_export_killed(self) -> None:
        """
        An export that was killed in the middle is continued, and gives the file that it
        would have given.
        """
        self.stored(20_000, conversations=2)
        expected = self.export()["sha256"]
        whole = Path(self.file).read_bytes()
        Path(self.file).unlink()
        part = Path(f"{self.file}.part")
        part.write_bytes(whole[: len(whole) // 3])
        told = self.run_("export", "--data-dir", str(self.here), self.file, "--resume")
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertIn(b"continuing after 13000 messages", told.stderr)
        self.assertIn(expected.encode(), told.stdout)
        # The header has the time of the first.
        self.assertEqual(Path(self.file).read_bytes(), whole)
        self.assertFalse(part.exists())

    def test_killed(self) -> None:
        """
        An import that was killed in the middle is completed by the next, with the same
        counts and hash.
        """
        self.stored(20_000, conversations=1)
        out = self.export()
        whole = Path(self.file).read_bytes()
        process = subprocess.Popen(
            self.command("import", "--data-dir", str(self.there), "-"),
            env=self.environ,
            stdin=subprocess.PIPE,
        )
        assert process.stdin is not None
        # More than a pipe holds, so a part of it has been read.
        process.stdin.write(whole[: len(whole) // 2])
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdin.close()
        done = self.import_()
        self.assertGreater(done["already_there"], 0)
        self.assertEqual(done["already_there"] + done["written"], 20_000)
        self.assertEqual(done["sha256"], out["sha256"])
        verified = self.import_("--verify")
        self.assertTrue(verified["same"])
        self.assertEqual(verified["more_in_store"], 0)
