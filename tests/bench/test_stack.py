"""
Which servers a benchmark stands on.
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
    What the command line and the environment name.
    """

    def test_embedded(self) -> None:
        """
        Where nothing is asked for, there are no servers.
        """
        given = {"journal": None, "store": "sqlite:", "presence": "memory:"}
        self.assertEqual(backends_of(given, {}, everything=False), [])

    def test_all(self) -> None:
        """
        The stack is one of each, at the usual place or where the environment says,
        under names that no other run has.
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
        Message takes what is made for it.
        """
        wanted = {"presence": "memory:"}
        found = settings_of(backends_of(wanted, {}, everything=True, run="ab12"))
        settings = load_settings(MessageSettings, Sources(environ=found))
        self.assertEqual(settings.journal, "kafka://127.0.0.1:19092/wsmsg-bench-ab12")
        self.assertEqual(settings.store, "mongodb://127.0.0.1:19017/wsmsg_bench_ab12")
        self.assertEqual(settings.kafka.group, "wsmsg-bench-ab12")

    def test_given(self) -> None:
        """
        A URL that is given is used as it is; its first address is looked at.
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
    Whose CPU counts.
    """

    def test_found_by_port(self) -> None:
        """
        A server of this machine is found, or was named.
        """
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            redis = Backend("presence", "redis", "", "127.0.0.1", port)
            self.assertEqual(pids_of([redis], {}), {"redis": os.getpid()})
            self.assertEqual(pids_of([redis], {"redis": 7}), {"redis": 7})

    def test_nobody(self) -> None:
        """
        A server that is not there is told with its address.
        """
        mongo = Backend("store", "mongo", "", "127.0.0.1", 1)
        error = self.assertRaises(CannotStart, pids_of, [mongo], {})
        self.assertIn("no mongo at 127.0.0.1:1 for the store", str(error))
