"""
Everything that the project writes beside the embedded journal and store, on a full
disk: one line names the file and the reason, nothing is half written, and all goes on
once there is room.
"""

from __future__ import annotations

import asyncio
import resource
import signal
import subprocess
import sys
from pathlib import Path

from tests.cli.test_transfer import Folder
from tests.client.client_case import ClientCase
from tests.integration.cases import (
    IntegrationTestCase,
    eventually,
    metric,
    with_daemons,
)
from tests.integration.small_disk import SmallDisk
from wsmsg.auth.local_key import local_key
from wsmsg.client.saving import Saving
from wsmsg.client.state.positions import PositionFile
from wsmsg.message.journal.sqlite.file import JournalFile

_NO_SPACE = "No space left on device"


class FullFolder(Folder):
    """
    A small disk beside the directories.
    """

    def setUp(self) -> None:
        super().setUp()
        disk = SmallDisk.mount("1m")
        if disk is None:
            self.skipTest("no disk can be mounted")
        self.disk = disk
        self.addCleanup(disk.unmount)
        self.file = str(disk.folder / "store.jsonl")

    def names(self) -> list[str]:
        """
        Return the names of the files on the disk.
        """
        found = (p.name for p in self.disk.folder.iterdir())
        return sorted(name for name in found if name != "ballast")


class CommandTests(FullFolder):
    """
    The commands.
    """

    def test_export(self) -> None:
        """
        An export that finds no room says which file is full, has no file of the final
        name, and is continued once there is room, to the same file as without.
        """
        self.stored(count=1500)
        self.disk.occupy(500_000)
        told = self.bad("export", "--data-dir", str(self.here), self.file)
        self.assertEqual(
            told,
            f"Error: {self.file}.part cannot be written: {_NO_SPACE}; once that is "
            "mended, --resume continues it\n",
        )
        self.assertEqual(self.names(), ["store.jsonl.part"])
        cut = ("--data-dir", str(self.there), f"{self.file}.part")
        self.assertRegex(self.bad("import", *cut), "^Error: (line|the file ends)")
        again = self.bad("export", "--resume", "--data-dir", str(self.here), self.file)
        self.assertIn(f"{self.file}.part cannot be written: {_NO_SPACE}", again)
        self.disk.empty()
        self.disk.grow("8m")
        done = self.export("--resume")
        self.assertEqual(self.names(), ["store.jsonl"])
        self.assertEqual(done["messages"], 4500)
        self.assertEqual(self.import_()["sha256"], done["sha256"])

    def test_export_nothing(self) -> None:
        """
        An export that finds no room at all leaves no file.
        """
        self.stored()
        self.disk.fill()
        told = self.bad("export", "--data-dir", str(self.here), self.file)
        self.assertEqual(
            told, f"Error: {self.file}.part cannot be written: {_NO_SPACE}\n"
        )
        self.assertEqual(self.names(), [])

    def test_export_output(self) -> None:
        """
        An export to a standard output that is full fails with one line.
        """
        self.stored(count=1500)
        self.disk.fill()
        with open(self.disk.folder / "out", "wb") as out:
            done = subprocess.run(
                self.command("export", "--data-dir", str(self.here), "-"),
                stdout=out,
                stderr=subprocess.PIPE,
                env=self.environ,
                timeout=120,
                check=False,
            )
        self.assertEqual(
            (done.returncode, done.stderr.decode()),
            (1, f"Error: the output cannot be written: {_NO_SPACE}\n"),
        )

    def test_import(self) -> None:
        """
        An import into a store whose disk is full names the store and waits; once there
        is room, it goes on, and the store has everything.
        """
        self.stored(count=1500)
        exported = self.folder / "store.jsonl"
        self.good("export", "--data-dir", str(self.here), str(exported))
        place = ("--data-dir", str(self.disk.folder / "there"))
        process = subprocess.Popen(
            self.command("import", *place, str(exported)),
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stderr is not None
        store = self.disk.folder / "there" / "store.db"
        self.assertEqual(
            process.stderr.readline().decode(),
            f"waiting for the store: store {store} cannot be used: database or disk is "
            "full\n",
        )
        self.disk.grow("8m")
        out, _ = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0)
        self.assertIn(b"imported 4500 messages", out)
        self.assertTrue(self.good("import", *place, "--verify", str(exported))["same"])

    def test_import_cut(self) -> None:
        """
        A file that was cut short anywhere is never imported as a whole one: the import
        fails with the place of the cut.
        """
        self.stored(count=300)
        exported, cut = self.folder / "store.jsonl", self.folder / "cut.jsonl"
        self.good("export", "--data-dir", str(self.here), str(exported))
        whole = exported.read_bytes()
        for size in (0, len(whole) // 2, whole[:-1].rindex(b"\n") + 1):
            cut.write_bytes(whole[:size])
            told = self.bad("import", "--data-dir", str(self.there), str(cut))
            self.assertRegex(told, r"^Error: (line \d+: cut off|the file ends )")

    def test_token_key(self) -> None:
        """
        A key that finds no room is not half written; with room it is created.
        """
        data = self.disk.folder / "data"
        data.mkdir()
        self.disk.fill()
        told = self.bad("token", "--data-dir", str(data), "1001")
        self.assertEqual(told, f"Error: {data}/token.key: {_NO_SPACE}\n")
        self.assertEqual(list(data.iterdir()), [])
        self.disk.empty()
        self.assertEqual(self.run_("token", "--data-dir", str(data), "1").returncode, 0)
        self.assertGreater(len(local_key(data, make=False)), 32)

    def test_bench(self) -> None:
        """
        A benchmark whose figures could not be written is refused before it begins, and
        an older file of figures stays.
        """
        figures = self.disk.folder / "figures.json"
        figures.write_text("older")
        self.disk.fill()
        told = self.bad("bench", "--only", "floor", "--json", str(figures))
        self.assertEqual(told, f"Error: {figures} cannot be written: {_NO_SPACE}\n")
        self.assertEqual(self.names(), ["figures.json"])
        self.assertEqual(figures.read_text(), "older")

    def test_demo(self) -> None:
        """
        A demo without room for its files fails with lines that name them.
        """
        self.disk.fill()
        data = self.disk.folder / "demo"
        told = self.bad("demo", "--once", "--data-dir", str(data))
        self.assertIn(_NO_SPACE, told)
        self.assertIn(str(data), told)

    def test_pid_file(self) -> None:
        """
        A daemon that cannot write its pid file does not start, and says why in one
        line.
        """
        self.disk.fill()
        pidfile = self.disk.folder / "message.pid"
        twistd = str(Path(sys.executable).parent / "twistd")
        for daemon in ("message", "connect"):
            done = subprocess.run(
                [twistd, f"--pidfile={pidfile}", daemon, "--data-dir", str(self.here)],
                capture_output=True,
                env=self.environ,
                cwd=self.folder,
                timeout=60,
                check=False,
            )
            self.assertEqual(
                (done.returncode, done.stderr.decode()),
                (
                    1,
                    f"wsmsg {daemon}: cannot use the pid file {pidfile} (--pidfile): "
                    f"{_NO_SPACE}\n",
                ),
            )
        self.assertEqual(self.names(), [])


class PositionFileTests(ClientCase):
    """
    The position file of the Python client.
    """

    async def test_position_file(self) -> None:
        """
        While the disk is full the old file stays whole, and one line says so; once
        there is room, the file is written without any further change.
        """
        disk = SmallDisk.mount("1m")
        if disk is None:
            self.skipTest("no disk can be mounted")
        self.addCleanup(disk.unmount)
        path = disk.folder / "position.json"
        path.write_text('{"version": 1, "user": 7}')
        disk.fill()
        saving = Saving(path, again_s=0.01)
        exchange = self.client()._exchange
        with self.assertLogs("wsmsg.client") as logs:
            saving.now(exchange)
            await asyncio.sleep(0.1)  # several further attempts
            self.assertEqual(PositionFile(path).load().user, 7)
            self.assertEqual(len(list(disk.folder.iterdir())), 2)
            disk.empty()
            async with asyncio.timeout(10):
                while PositionFile(path).load().user == 7:
                    await asyncio.sleep(0.01)
        told = [record.getMessage() for record in logs.records]
        self.assertEqual(
            told,
            [
                f"cannot save the position file, and try again: {path}: {_NO_SPACE}",
                "the position file is saved again",
            ],
        )


class LogTests(IntegrationTestCase):
    """
    The log of a daemon.
    """

    alone = True

    async def small_disk(self) -> SmallDisk:
        """
        Mount a disk, until the test ends.
        """
        disk = SmallDisk.mount("1m")
        if disk is None:
            self.skipTest("no disk can be mounted")

        async def unmount() -> None:
            await self.installation.stop()
            disk.unmount()

        self.at_end(unmount)
        return disk

    @with_daemons
    async def test_log_file(self) -> None:
        """
        A daemon whose log file finds no room goes on serving, counts the lines that it
        dropped, begins another file when it is asked to, and writes how many lines are
        missing once there is room.
        """
        disk, installation = await self.small_disk(), self.installation
        log = disk.folder / "message.log"
        disk.fill()
        message = installation.message
        message.twistd = (f"--logfile={log}",)
        await installation.start()
        one, two = self.user(), self.user()
        device = await self.device(one)
        self.assertTrue((await device.send(two, "a", "hi")).time)
        dropped = await metric(message, "wsmsg_log_dropped_total")
        self.assertGreater(dropped, 5)
        self.assertEqual(log.read_bytes(), b"")
        await message.signal(signal.SIGUSR1)
        await eventually("another file", (disk.folder / "message.log.1").exists)
        disk.empty()
        await message.signal(signal.SIGHUP)
        await eventually("a line", lambda: "settings reloaded" in log.read_text())
        first, second, *_ = log.read_text().splitlines()
        self.assertRegex(first, r"\] \d+ lines of the log were dropped here")
        self.assertIn("settings reloaded", second)
        self.assertEqual(await message.terminate(), 0)
        self.assertIn("stopped in", log.read_text())

    @with_daemons
    async def test_output(self) -> None:
        """
        A daemon whose standard output is a file on a full disk serves, and ends with
        status 0.
        """
        disk, installation = await self.small_disk(), self.installation
        disk.fill()
        for daemon in installation.daemons:
            daemon.log = disk.folder / daemon.log.name
        await installation.start()
        device = await self.device(self.user())
        self.assertTrue((await device.send(self.user(), "a", "hi")).time)
        self.assertGreater(
            await metric(installation.connect, "wsmsg_log_dropped_total"), 5
        )
        for daemon in reversed(installation.daemons):
            self.assertEqual(await daemon.terminate(), 0)
            self.assertEqual(daemon.lines(), [])


class DeadLetterTests(IntegrationTestCase):
    """
    The dead letters of the embedded journal.
    """

    alone = True

    @with_daemons
    async def test_dead_letter(self) -> None:
        """
        A dead letter that finds no room is written once there is room, once, with all
        of its record; what comes after it in the journal is stored too, and the log has
        no traceback.
        """
        message, record = self.installation.message, b"\xff" * 200_000
        data = self.installation.folder / "data"
        data.mkdir()
        journal = JournalFile(str(data / "journal.db"))
        journal.open()
        journal.append([record], 0)
        journal.close()
        infinite = resource.RLIM_INFINITY
        message.before_exec = lambda: resource.setrlimit(
            resource.RLIMIT_FSIZE, (150_000, infinite)
        )
        await self.installation.start()
        await message.until_logged("journal: lost")
        resource.prlimit(message.pid, resource.RLIMIT_FSIZE, (infinite, infinite))
        await message.ready()
        one, two = self.user(), self.user()
        person = self.person(two)
        device = await self.device(one)

        async def accepted() -> bool:
            return bool(getattr(await device.send(two, "a", "hi"), "time", 0))

        await eventually("accepted", accepted)
        await person.until_taken(f"u:{one}:{two}", 1)
        _, told = await message.get("/dead-letters")
        sizes = [(x["size"], x["cut"]) for x in told["dead_letters"]]
        self.assertEqual(sizes, [(len(record), False)])
        count = 'wsmsg_message_dead_letters_total{kind="unreadable"}'
        self.assertEqual(await metric(message, count), 1)
