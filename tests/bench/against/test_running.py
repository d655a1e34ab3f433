"""
Tests of the comparison with running servers: the relay, and servers that are none.
"""

from __future__ import annotations

import os
import socketserver
import threading
from contextlib import AbstractContextManager

from twisted.trial.unittest import SynchronousTestCase

from wsmsg.bench.against.comparison import Comparing, OtherSystem
from wsmsg.bench.against.systems import SYSTEMS
from wsmsg.bench.load.plan import LoadResult, Plan
from wsmsg.bench.processes import Server, floor, free_ports, relay
from wsmsg.bench.scenarios import BenchFailed, Choice, run_load

LOAD = "wsmsg.bench.against.load"


def plan(url: str, **more: object) -> Plan:
    """
    Make the plan of a moment.
    """
    return Plan(
        kind="foreign",
        system="websockets",
        host="127.0.0.1",
        port=0,
        path=url,
        count=3,
        seconds=0.5,
        warm_s=0.2,
        **more,  # type: ignore[arg-type]
    )


def never() -> AbstractContextManager[Server]:
    """
    Start Connect and Message, which no test here needs.
    """
    raise AssertionError("nothing should start before the others were tried")


class RelayTests(SynchronousTestCase):
    """
    The relay under the load of other systems.
    """

    def run_on_relay(self, **more: object) -> LoadResult:
        """
        Run a plan against a relay.
        """
        with relay() as server:
            url = f"ws://127.0.0.1:{server.port}/"
            return run_load(plan(url, pids=dict(server.pids), **more), LOAD)

    def test_open_loop(self) -> None:
        """
        All messages of an open loop arrive once, in order, and are confirmed.
        """
        result = self.run_on_relay(rate=100.0)
        totals = result.totals
        self.assertGreater(totals.sent, 0)
        self.assertEqual(totals.accepted, totals.sent)
        odd = (totals.lost, totals.doubled, totals.unordered, totals.unanswered)
        self.assertEqual(odd, (0, 0, 0, 0))
        self.assertGreater(result.latency.p50, 0)
        self.assertNotEqual(result.version, "")

    def test_closed_loop(self) -> None:
        """
        A closed loop keeps every pair busy.
        """
        result = self.run_on_relay(window=2)
        self.assertGreater(result.delivered, 10)
        self.assertEqual((result.totals.lost, result.totals.doubled), (0, 0))
        self.assertEqual(result.connections, 6)

    def test_descendants(self) -> None:
        """
        The CPU of a process has that of its descendants: here the relay and the load,
        whose parent this test is.
        """
        with relay() as server:
            url = f"ws://127.0.0.1:{server.port}/"
            own = run_load(plan(url, pids={"tests": os.getpid()}, window=1), LOAD)
        used = own.usage["tests"].cpu_s
        self.assertGreaterEqual(used, own.own_cpu_s * 0.5)


class WrongTests(SynchronousTestCase):
    """
    A server that cannot be measured is found before any load, with a reason.
    """

    def refused(self, name: str, url: str) -> str:
        """
        Compare with a server; return the reason why that fails, and what was told.
        """
        told: list[str] = []
        other = OtherSystem(SYSTEMS[name], SYSTEMS[name].address(url))
        comparing = Comparing(Choice(), [other], never, told.append)
        with self.assertRaises(BenchFailed) as caught:
            comparing.run()
        return str(caught.exception)

    def test_down(self) -> None:
        """
        A server that does not listen.
        """
        (port,) = free_ports(1)
        for name in ("centrifugo", "tinode", "socketio"):
            reason = self.refused(name, f"ws://127.0.0.1:{port}")
            self.assertIn(f"{name}: cannot connect to 127.0.0.1:{port}", reason)
        reason = self.refused("matrix", f"http://127.0.0.1:{port}")
        self.assertIn("matrix: cannot connect", reason)

    def test_no_server_of_this_kind(self) -> None:
        """
        A server of another protocol.
        """
        with _Nonsense() as port:
            for name in ("centrifugo", "matrix"):
                scheme = "http" if name == "matrix" else "ws"
                reason = self.refused(name, f"{scheme}://127.0.0.1:{port}")
                self.assertIn("the URL may be that of another system", reason)

    def test_other_protocol(self) -> None:
        """
        A WebSocket that speaks another protocol.
        """
        with floor() as server:
            for name in ("tinode", "websockets"):
                reason = self.refused(name, f"ws://127.0.0.1:{server.port}")
                self.assertIn(f"{name}: cannot connect to", reason)
                self.assertNotIn("no answer in", reason)


class _Answer(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.recv(4096)
        self.request.sendall(b"220 mail.example ESMTP\r\n\r\n")


class _Nonsense:
    """
    A server that answers anything with a line of SMTP.
    """

    def __enter__(self) -> int:
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Answer)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        port: int = self._server.server_address[1]
        return port

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
