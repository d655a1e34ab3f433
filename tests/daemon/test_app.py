"""
A small daemon, run by twistd in a process of its own.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

reactor: Any = _reactor

_RUN = "from twisted.scripts.twistd import run; run()"

_PLUGIN = """
from twisted.application.service import ServiceMaker
trial = ServiceMaker("trial", "wsmsg_trial_tap", "For tests.", "wsmsg-trial")
"""

_TAP = """
from wsmsg.daemon.options import DaemonOptions
from wsmsg.dependency.state import Dependency
from wsmsg.monitoring.health import required_up
from wsmsg.daemon.lifecycle import Part
from wsmsg.daemon.app import Daemon
from wsmsg.settings.values import MessageSettings

class Options(DaemonOptions):
    settings_type = MessageSettings

def makeService(options):
    from twisted.internet import reactor
    daemon = Daemon(options, reactor, rule=required_up)
    thing = Dependency("thing", reactor)
    daemon.health.add(thing)

    def start():
        if options.settings.node == "cannot":
            raise OSError("held by another process")
        thing.attempting()
        if options.settings.node == "hopeless":
            thing.failed("refused", daemon.retry(10**6))
        else:
            thing.succeeded()

    return daemon.service([Part("thing", start, thing.stopped)], ["thing"])
"""


class TwistdTests(TestCase):
    """
    A small daemon that twistd runs.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        plugins = self.folder / "twisted" / "plugins"
        plugins.mkdir(parents=True)
        (plugins / "wsmsg_trial.py").write_text(_PLUGIN)
        (self.folder / "wsmsg_trial_tap.py").write_text(_TAP)
        self.any_port = [
            f"--{name}=127.0.0.1:0" for name in ("listen", "rpc-listen", "admin-listen")
        ]

    def twistd(self, *arguments: str, twistd: tuple[str, ...] = ("-n",)) -> Running:
        root = Path(__file__).parent.parent.parent
        running = Running()
        transport = reactor.spawnProcess(
            running,
            sys.executable,
            [
                *(sys.executable, "-c", _RUN),
                *twistd,
                *("wsmsg-trial", f"--data-dir={self.folder / 'data'}"),
                *self.any_port,
                *arguments,
            ],
            env={**os.environ, "PYTHONPATH": f"{self.folder}:{root}"},
            path=str(self.folder),
        )
        self.addCleanup(running.kill, transport)
        return running

    async def test_term(self) -> None:
        """
        HUP reloads the settings; TERM stops the daemon in order, with status 0 and
        without a pid file left behind.
        """
        config = self.folder / "a.toml"
        config.write_text("")
        running = self.twistd(f"--config={config}", "--log-format=json")
        await running.until('"text": "ready"')
        config.write_text('[common]\nlog.level = "warn"\nstop_s = 7\nnode = "x"\n')
        running.send(signal.SIGHUP)
        await running.until("node changes only with a restart")
        running.send(signal.SIGTERM)
        self.assertEqual(await running.ended, 0)
        self.assertEqual(list(self.folder.glob("*.pid")), [])
        told = [json.loads(line) for line in running.text.splitlines()]
        ours = [line["text"] for line in told if line["source"].startswith("wsmsg.")]
        self.assertIn("wsmsg message ", ours[0])
        self.assertIn(f"data_dir = {self.folder / 'data'} ", ours[1])
        self.assertNotIn("SIGTERM", running.text)

    async def test_failures(self) -> None:
        """
        The daemon exits with status 1 and one clear line if a part cannot start, or if
        the limit of attempts is reached.
        """
        failing = self.twistd("--node=cannot", twistd=("-n", "--pidfile="))
        self.assertEqual(await failing.ended, 1)
        self.assertIn("cannot start thing: held by another process", failing.text)
        limited = self.twistd("--node=hopeless", "--set=retry.attempts=1")
        self.assertEqual(await limited.ended, 1)
        self.assertIn("gave up on thing after 1 attempt: refused", limited.text)
        for running in (failing, limited):
            self.assertNotIn("Traceback", running.text)

    async def test_refused(self) -> None:
        """
        Mistakes in the settings and another reactor lead to status 2, a port in use to
        1.
        """
        wrong = self.twistd("--set=foo=1")
        self.assertEqual(await wrong.ended, 2)
        epoll = self.twistd(twistd=("-n", "--reactor=epoll"))
        self.assertEqual(await epoll.ended, 2)
        self.assertIn("--reactor=asyncio", epoll.text)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            busy = self.twistd(f"--listen=127.0.0.1:{taken.getsockname()[1]}")
            self.assertEqual(await busy.ended, 1)
        for running in (wrong, epoll, busy):
            self.assertNotIn("Traceback", running.text)
            self.assertTrue(running.text.startswith("wsmsg message: "), running.text)

    async def test_daemonized(self) -> None:
        """
        Without -n the daemon runs in the background, with a log and a pid file of its
        name, also if the old one names a process that is another one now.  It stops on
        TERM.
        """
        log, pidfile = self.folder / "message.log", self.folder / "message.pid"
        pidfile.write_text(str(os.getpid()))
        started = self.twistd(twistd=())
        self.assertEqual(await started.ended, 0)
        self.assertIn(f"removed the old pid file {pidfile}: ", started.text)
        pid = int(pidfile.read_text())
        self.addCleanup(_kill, pid)
        await _until(lambda: "#info] ready" in log.read_text())
        os.kill(pid, signal.SIGTERM)
        await _until(lambda: not pidfile.exists())
        await _until(lambda: "Server Shut Down" in log.read_text())
        self.assertNotIn("Traceback", log.read_text())


class Running(ProcessProtocol):
    """
    A process, its output and its exit status.
    """

    def __init__(self) -> None:
        self.text = ""
        self.ended: Deferred[int] = Deferred()
        self._wanted: tuple[str, Deferred[None]] | None = None

    def outReceived(self, data: bytes) -> None:
        self.text += data.decode()
        if self._wanted is not None and self._wanted[0] in self.text:
            (_, found), self._wanted = self._wanted, None
            found.callback(None)

    errReceived = outReceived

    def until(self, text: str) -> Deferred[None]:
        """
        @return: fires when the process has written this.
        """
        found: Deferred[None] = Deferred()
        self._wanted = (text, found)
        self.outReceived(b"")
        return found

    def send(self, number: int) -> None:
        assert self.transport is not None
        self.transport.signalProcess(number)

    def processEnded(self, reason: Failure) -> None:
        clean = reason.check(ProcessDone)
        self.ended.callback(0 if clean else reason.value.exitCode)  # type: ignore[union-attr]

    def kill(self, transport: Any) -> object:
        """
        Kill the process if the test left it running.
        """
        if self.ended.called:
            return None
        transport.signalProcess("KILL")
        return self.ended


async def _until(test: Callable[[], bool]) -> None:
    # A daemon in the background is nobody's child: its traces are all there is.
    while not test():
        await deferLater(reactor, 0.02)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
