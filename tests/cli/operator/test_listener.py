"""
The key that a command sends to an admin listener, and to whom.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.cli.test_places import AdminServer
from wsmsg.cli.operator.accounts import listening
from wsmsg.cli.operator.ask import NoAnswer
from wsmsg.cli.operator.listener import AdminListener

# Of a little-endian machine, which is all that has such a table here.
_TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid
   0: 0100007F:59DC 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1001
   1: 00000000:59DD 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1002
   2: 0100007F:59DC 0100007F:A000 01 00000000:00000000 00:00000000 00000000  1003
   3: 0500000A:59DC 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1004
"""
_TCP6 = """\
  sl  local_address remote_address st tx_queue rx_queue tr tm->when retrnsmt uid
   0: 00000000000000000000000001000000:59DE 00000000000000000000000000000000:0000 0A \
00000000:00000000 00:00000000 00000000  1005
   1: 00000000000000000000000000000000:59DF 00000000000000000000000000000000:0000 0A \
00000000:00000000 00:00000000 00000000  1006
   2: 0000000000000000FFFF00000100007F:59E0 00000000000000000000000000000000:0000 0A \
00000000:00000000 00:00000000 00000000  1007
"""


class AccountTests(SynchronousTestCase):
    """
    L{listening}.
    """

    def test_table(self) -> None:
        """
        The accounts are those that a connection to the address reaches: at the address
        itself, or on all addresses; an open connection is no listener.
        """
        net = Path(self.mktemp())
        net.mkdir()
        (net / "tcp").write_text(_TCP)
        (net / "tcp6").write_text(_TCP6)
        for host, port, accounts in (
            ("127.0.0.1", 23004, {1001}),
            ("127.0.0.1", 23005, {1002}),
            ("10.0.0.5", 23004, {1004}),
            ("10.0.0.6", 23004, set()),
            ("10.0.0.6", 23005, set()),
            ("::1", 23006, {1005}),
            ("127.0.0.1", 23006, set()),
            ("127.0.0.1", 23007, {1006}),
            ("127.0.0.1", 23008, {1007}),
            ("localhost", 23004, {1001}),
            ("localhost", 23006, {1005}),
            ("daemon.example", 23004, set()),
            ("127.0.0.1", 5, set()),
        ):
            self.assertEqual(listening(host, port, net), accounts, (host, port))
        self.assertEqual(listening("127.0.0.1", 23004, net / "none"), set())

    def test_own(self) -> None:
        """
        A listener of this process is found, by its account.
        """
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            self.assertEqual(listening("127.0.0.1", port), {os.getuid()})
        self.assertEqual(listening("127.0.0.1", port), set())


class ListenerTests(SynchronousTestCase):
    """
    Row 7 of issue 11: commands find the key by themselves.
    """

    def setUp(self) -> None:
        self.server = AdminServer()
        self.addCleanup(self.server.end)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.key = self.folder / "admin.key"
        self.key.write_text("k" * 40)

    def ask(self, key_file: Path | None = None) -> str:
        """
        Ask for the status, and return the key that was sent.
        """
        places = (self.folder / "none", self.folder)
        AdminListener(self.url, "", key_file, places).ask("/status")
        return self.server.keys.pop()

    def test_found(self) -> None:
        """
        The key in a data directory is sent to a process of the account that owns it;
        a file that is named is sent to whatever listens.
        """
        self.assertEqual(self.ask(), f"Bearer {'k' * 40}")
        named = self.folder / "copy"
        named.write_text("other-key\n")
        self.assertEqual(self.ask(named), "Bearer other-key")
        self.key.unlink()
        self.assertEqual(self.ask(), "")

    def test_somebody_else(self) -> None:
        """
        The key is not sent to a process of another account, which may listen while the
        daemon does not; the command says so.
        """
        if os.getuid() != 0:
            return  # nobody else can give a file away
        os.chown(self.folder / "admin.key", 1, 1)
        self.server.wanted = "k" * 40
        # Root is trusted, so the table says that it is somebody else who listens.
        net = self.folder / "net"
        net.mkdir()
        port = f"{self.server.server_port:04X}"
        (net / "tcp").write_text(_TCP.replace("59DC", port))
        listener = AdminListener(self.url, places=(self.folder,), net=net)
        error = self.assertRaises(NoAnswer, listener.ask, "/status")
        self.assertEqual(self.server.keys, [""])
        self.assertIn("is of uid 1 and a process of uid 1001 listens", str(error))
        self.assertIn("--key-file", str(error))

    def test_refused(self) -> None:
        """
        Without the right key, the reason says what to do.
        """
        self.server.wanted = "x"
        for named, word in (
            (None, f"it does not accept {self.key}"),
            (self.key, f"it does not accept {self.key}"),
        ):
            listener = AdminListener(self.url, "", named, (self.folder,))
            error = self.assertRaises(NoAnswer, listener.ask, "/status")
            self.assertIn(word, str(error))
            self.assertIn("as the account of the daemon or as root", str(error))

    def test_bad_files(self) -> None:
        """
        A file that is missing or has no key is said so, before anything is sent.
        """
        for content in (None, b"", b"a b", b"\xff\xfe", b"a\nb"):
            file = self.folder / "given"
            if content is not None:
                file.write_bytes(content)
            listener = AdminListener(self.url, "", file, ())
            error = self.assertRaises(NoAnswer, listener.ask, "/status")
            self.assertIn(str(file), str(error))
        self.assertEqual(self.server.paths, [])
