"""
The command line of a daemon, and the checks before it starts.
"""

from __future__ import annotations

import io
import os
import resource
import socket
import sys
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase, TestCase

from wsmsg.daemon.options import DaemonOptions
from wsmsg.daemon.preflight import (
    check_twistd_options,
    preflight,
    raise_file_limit,
    room_for_clients,
)
from wsmsg.errors import Unavailable
from wsmsg.settings.values import Common, ConnectSettings, MessageSettings


class Options(DaemonOptions):
    """
    Options of a daemon, with one of its own.
    """

    settings_type = MessageSettings
    optParameters = [["journal", None, None, "URL of the log"]]


class OptionsTests(TestCase):
    """
    L{DaemonOptions}.
    """

    def setUp(self) -> None:
        self.stderr = io.StringIO()
        self.patch(sys, "stderr", self.stderr)

    def parsed(self, *arguments: str) -> MessageSettings:
        options = Options()
        options.parseOptions(list(arguments))
        assert isinstance(options.settings, MessageSettings)
        return options.settings

    def refused(self, *arguments: str) -> str:
        ended = self.assertRaises(SystemExit, self.parsed, *arguments)
        self.assertEqual(ended.code, 2)
        return self.stderr.getvalue()

    def test_options(self) -> None:
        """
        Every option is the setting of its name, and --set takes any setting.
        """
        settings = self.parsed(
            "--listen=127.0.0.1:1",
            "--admin-listen=",
            "--data-dir=/x",
            "--journal=sqlite:///x/y",
            "--log-level=warn",
            "--trust-network=rpc_listen, listen",
            "--set=read_batch=7",
            "--set=retry.attempts=3",
            "--set=message.node=m1",
        )
        self.assertEqual(settings.listen, "127.0.0.1:1")
        self.assertEqual((settings.admin_listen, settings.data_dir), ("", "/x"))
        self.assertEqual(settings.journal, "sqlite:///x/y")
        self.assertEqual(settings.log.level, "warn")
        self.assertEqual(settings.trust_network, ("rpc_listen", "listen"))
        self.assertEqual((settings.read_batch, settings.node), (7, "m1"))
        self.assertEqual(settings.retry.attempts, 3)

    def test_mistakes(self) -> None:
        """
        All mistakes are printed on stderr at once, and the status is 2.
        """
        told = self.refused("--listen=x", "--set=foo=1", "--journal=redis://x")
        self.assertTrue(told.startswith("wsmsg message: 3 mistakes in the settings:"))
        for source in ("option --listen: ", "option --set foo: ", "--journal: "):
            self.assertIn(source, told)
        self.assertNotIn("Traceback", told)

    def test_workers(self) -> None:
        """
        A number of workers that there cannot be is one line, and so are workers of a
        Message with embedded files, and a worker that no supervisor has started.
        """
        for bad in ("0", "-1", "x", ""):
            self.assertIn("option --workers", self.refused(f"--workers={bad}"))
        self.assertIn("sqlite: belongs to one process", self.refused("--workers=2"))
        self.patch(os, "environ", {**os.environ, "WSMSG_WORKER": "3/2"})
        self.assertIn("WSMSG_WORKER is '3/2'", self.refused())

    def test_arguments(self) -> None:
        """
        A worker gets all options of its supervisor.
        """
        options = Options()
        options.parseOptions(
            ["--node=n", "--log-level=warn", "--set", "stop_s=3", "--admin-listen="]
        )
        again = Options()
        again.parseOptions(options.arguments())
        self.assertEqual(again.settings, options.settings)
        self.assertFalse(options.supervises)

    def test_no_password_on_the_command_line(self) -> None:
        """
        A mistake on the command line shows neither a password nor the value of a
        secret.
        """
        for arguments in (
            ("--set", "store_password=SECRET", "--set", "store=mongodb://h:x/db"),
            ("--set", "stor_password=SECRET"),
            ("--set", "store=mongodb://u:SEC/SECRET@h/db"),
            ("--set", "SECRET"),
            ("--set", "=SECRET"),
            ("--journal=postgres://u:SECRET@h/t",),
            ("--data-dir=/x", "redis://u:SECRET@h"),
            ("redis:u:SECRET",),
            ("--redis://u:SECRET@h",),
        ):
            told = self.refused(*arguments)
            self.assertNotIn("SECRET", told)
            self.assertNotIn("Traceback", told)

    def test_usage(self) -> None:
        """
        Unknown options and stray arguments lead to status 2 as well.
        """
        self.assertIn("--bogus", self.refused("--bogus"))
        self.assertIn("'x' is neither", self.refused("x"))
        self.assertIn("is not key=value", self.refused("--set=x"))

    def test_reload_reads_the_same_file(self) -> None:
        """
        A reload reads the file that was named, although twistd changed its working
        directory.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "a.toml").write_text("[message]\nread_batch = 5\n")
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(folder)
        options = Options()
        options.parseOptions(["--config=a.toml"])
        os.chdir(before)
        self.assertEqual(options.load().read_batch, 5)

    def test_help(self) -> None:
        """
        The help names every option and the sources of settings.
        """
        text = str(Options())
        for word in ("--listen", "--set", "--journal", "WSMSG_CONNECT__LISTEN"):
            self.assertIn(word, text)


class PreflightTests(TestCase):
    """
    L{preflight}.
    """

    def setUp(self) -> None:
        self.stderr = io.StringIO()
        self.patch(sys, "stderr", self.stderr)
        self.data = Path(self.mktemp())

    def refused(self, settings: Common, **more: Any) -> list[str]:
        ended = self.assertRaises(
            SystemExit, preflight, "connect", settings, self.data, **more
        )
        self.assertEqual(ended.code, 1)
        return self.stderr.getvalue().splitlines()

    def test_good(self) -> None:
        """
        Checks that pass print nothing, and create the data directory, readable by its
        owner only.
        """
        preflight("connect", free_settings(), self.data)
        self.assertEqual(self.stderr.getvalue(), "")
        self.assertEqual(self.data.stat().st_mode & 0o777, 0o700)
        self.assertEqual(os.listdir(self.data), [])

    def test_port_in_use(self) -> None:
        """
        A port in use is one line with the address, the setting and the remedy.
        """
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            (line,) = self.refused(free_settings(rpc_listen=f"127.0.0.1:{port}"))
        self.assertTrue(
            line.startswith(
                f"wsmsg connect: cannot listen on 127.0.0.1:{port} (rpc_listen): "
                "address already in use; "
            ),
            line,
        )
        self.assertIn("--rpc-listen", line)

    def test_all_problems(self) -> None:
        """
        Each listener, each probe and the data directory have a line each; probes do not
        run without the folder.
        """

        def held() -> None:
            raise Unavailable("in use by process 7")

        settings = free_settings(
            listen="192.0.2.1:0",
            admin_listen="nowhere.invalid:1",
            trust_network=("admin_listen", "listen"),
        )
        probes = [("cannot open the journal", held)]
        lines = self.refused(settings, probes=probes)
        self.assertEqual(len(lines), 3)
        self.assertIn("this machine has no such address", lines[0])
        self.assertIn("nowhere.invalid:1 (admin_listen): ", lines[1])
        self.assertIn("cannot open the journal: in use by process 7", lines[2])
        self.data.rmdir()
        self.data.write_text("a file")
        lines = self.refused(settings, probes=probes)[3:]
        self.assertEqual(len(lines), 3)
        self.assertIn(f"cannot use the data directory {self.data}: ", lines[2])

    def test_no_host(self) -> None:
        """
        A host whose name cannot be one is a line, as a port in use is.
        """
        settings = free_settings(listen="a..b:0")
        (line,) = self.refused(settings)
        self.assertEqual(
            line,
            "wsmsg connect: cannot listen on a..b:0 (listen): this is no name of a "
            "host",
        )

    def test_twistd_options(self) -> None:
        """
        A pid file that cannot be written, and a folder to run in that is none, are a
        line each; a pid file whose daemon is gone is no obstacle.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        stale = folder / "stale.pid"
        stale.write_text(str(os.getpid()))
        check_twistd_options("connect", {"pidfile": str(stale), "rundir": "."})
        check_twistd_options("connect", {"pidfile": str(folder / "x.pid")})
        check_twistd_options("connect", {"pidfile": ""})
        self.assertEqual(os.listdir(folder), [])
        stale.write_text("")
        for name, reason in (
            (folder, "it is not a regular file"),
            (folder / "none" / "x.pid", "No such file or directory"),
            (stale / "x.pid", "Not a directory"),
        ):
            self.stderr.truncate(0)
            self.stderr.seek(0)
            bad = {"pidfile": str(name), "rundir": str(stale)}
            ended = self.assertRaises(SystemExit, check_twistd_options, "connect", bad)
            self.assertEqual(ended.code, 1)
            self.assertEqual(
                self.stderr.getvalue().splitlines(),
                [
                    f"wsmsg connect: cannot use the pid file {name.absolute()} "
                    f"(--pidfile): {reason}",
                    f"wsmsg connect: cannot run in {stale} (--rundir): Not a directory",
                ],
            )

    def test_systemd(self) -> None:
        """
        An address on which systemd listens is not checked.
        """
        preflight("connect", free_settings(listen="systemd:index=0"), self.data)


def free_settings(**changes: Any) -> ConnectSettings:
    """
    Settings that bind no particular port.
    """
    any_port = "127.0.0.1:0"
    free = {"listen": any_port, "rpc_listen": any_port, "admin_listen": any_port}
    return ConnectSettings(**{**free, **changes})


class FileLimitTests(SynchronousTestCase):
    """
    L{raise_file_limit} and L{room_for_clients}.
    """

    def raised(self, soft: int, hard: int, problem: Exception | None = None) -> int:
        """
        Raise these limits.
        """
        self.set: list[tuple[int, int]] = []

        def set_limit(_: int, limits: tuple[int, int]) -> None:
            if problem is not None:
                raise problem
            self.set.append(limits)

        self.patch(resource, "getrlimit", lambda _: (soft, hard))
        self.patch(resource, "setrlimit", set_limit)
        return raise_file_limit()

    def test_raised(self) -> None:
        """
        The limit is raised to that of the system, and to a million at most.
        """
        infinite = resource.RLIM_INFINITY
        self.assertEqual((self.raised(1024, 4096), self.set), (4096, [(4096, 4096)]))
        self.assertEqual((self.raised(4096, 4096), self.set), (4096, []))
        most = (2**20, infinite)
        self.assertEqual((self.raised(1024, infinite), self.set), (2**20, [most]))
        self.assertEqual((self.raised(infinite, infinite), self.set), (2**20, []))

    def test_not_raised(self) -> None:
        """
        A limit that cannot be raised stays.
        """
        for problem in (ValueError("not allowed"), OSError("not allowed")):
            self.assertEqual(self.raised(1024, 4096, problem), 1024)

    def test_room(self) -> None:
        """
        A daemon keeps 128 files for itself, or half of them if there are few.
        """
        rooms = [room_for_clients(files) for files in (2**20, 1024, 256, 100)]
        self.assertEqual(rooms, [2**20 - 128, 896, 128, 50])
