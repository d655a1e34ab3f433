"""
Tests of the servers that Message uses in a benchmark.
"""

from __future__ import annotations

import os
import socket

from twisted.trial.unittest import SynchronousTestCase

from wsmsg.bench.processes import CannotStart
from wsmsg.bench.stack import Backend, backends_of, pids_of, settings_of
from wsmsg.settings.sources import Sources, load_settings
from wsmsg.settings.values import MessageSettings


class BackendTests(SynchronousTestCase):
    """
    Servers from the command line and the environment.
    """

    def test_embedded(self) -> None:
        """
        Without options there are no servers.
        """
        given = {"journal": None, "store": "sqlite:", "presence": "memory:"}
        self.assertEqual(backends_of(given, {}, everything=False), [])

    def test_all(self) -> None:
        """
        The stack is one server of each kind, at the default port or where the
        environment says, with names that no other run uses.
        """
        environ = {"WSMSG_STACK_MONGO": "127.0.0.1:7", "WSMSG_STACK_REDIS": ""}
        found = backends_of({}, environ, everything=True, run="ab12")
        self.assertEqual(
            [(b.server, b.host, b.port) for b in found],
            [
                ("kafka", "127.0.0.1", 19092),
                ("mongo", "127.0.0.1", 7),
                ("redis", "127.0.0.1", 19379),
            ],
        )
        settings = settings_of(found)
        self.assertEqual(settings.pop("WSMSG_MESSAGE__KAFKA__CREATE_TOPICS"), "true")
        for name in ("JOURNAL", "STORE", "PRESENCE", "KAFKA__GROUP"):
            self.assertIn(f"WSMSG_MESSAGE__{name}", settings)
        for value in settings.values():
            self.assertIn("ab12", value)
        self.assertNotEqual(
            backends_of({}, {}, everything=True), backends_of({}, {}, everything=True)
        )

    def test_good_settings(self) -> None:
        """
        Message accepts the settings that are made for it.
        """
        wanted = {"presence": "memory:"}
        found = settings_of(backends_of(wanted, {}, everything=True, run="ab12"))
        settings = load_settings(MessageSettings, Sources(environ=found))
        self.assertEqual(settings.journal, "kafka://127.0.0.1:19092/wsmsg-bench-ab12")
        self.assertEqual(settings.store, "mongodb://127.0.0.1:19017/wsmsg_bench_ab12")
        self.assertEqual(settings.kafka.group, "wsmsg-bench-ab12")

    def test_given(self) -> None:
        """
        A given URL is used as it is; its first address is checked.
        """
        for url, host, port in (
            ("mongodb://u:p%40@db1:7001,db2:7002/wsmsg?tls=true", "db1", 7001),
            ("mongodb://db1/wsmsg", "db1", 27017),
            ("mongodb://[::1]:7/wsmsg", "::1", 7),
        ):
            (found,) = backends_of({"store": url}, {}, everything=False)
            self.assertEqual(found, Backend("store", "mongo", url, host, port))


class PidTests(SynchronousTestCase):
    """
    Processes whose CPU counts.
    """

    def test_found_by_port(self) -> None:
        """
        A server on this machine is found by its port, or named by the operator.
        """
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            redis = Backend("presence", "redis", "", "127.0.0.1", port)
            self.assertEqual(pids_of([redis], {}), {"redis": os.getpid()})
            self.assertEqual(pids_of([redis], {"redis": 7}), {"redis": 7})

    def test_nobody(self) -> None:
        """
        A missing server is reported with its address.
        """
        mongo = Backend("store", "mongo", "", "127.0.0.1", 1)
        error = self.assertRaises(CannotStart, pids_of, [mongo], {})
        self.assertIn("no mongo at 127.0.0.1:1 for the store", str(error))
