"""
TLS on every listener, for those who run wsmsg without a proxy.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import sys
from pathlib import Path

from tests.integration.cases import (
    IntegrationTestCase,
    eventually,
    metric,
    with_daemons,
)
from tests.integration.installation import DaemonProcess, Installation
from tests.integration.security.certificates import Authority
from tests.integration.status_events import Events
from wsmsg.client import Client, MessageReceived

LISTENERS = ("listen", "rpc_listen", "admin_listen")


class TlsTestCase(IntegrationTestCase):
    """
    Daemons whose listeners speak TLS.
    """

    alone = True

    def secure(self, installation: Installation) -> None:
        """
        Give all listeners a certificate.
        """
        self.authority = Authority(installation.folder)
        cert, key = self.authority.issue("server")
        for daemon in installation.daemons:
            for listener in LISTENERS:
                daemon.extra[f"tls.{listener}.cert"] = cert
                daemon.extra[f"tls.{listener}.key"] = key
            daemon.extra["peer.ca"] = self.authority.path

    async def started(self) -> None:
        installation = self.installation
        self.secure(installation)
        for daemon in installation.daemons:
            await daemon.start()
        for daemon in installation.daemons:
            await daemon.until_logged("Health#info] ready")

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.authority.path)

    async def get(self, port: int, path: str) -> bytes:
        """
        Send a request over TLS.
        """
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=self.trust()
        )
        writer.write(f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        return answer

    def client(self, user: int) -> Client:
        url = self.installation.url.replace("ws:", "wss:")
        client = Client(
            url, self.installation.token(user), "phone", ca=self.authority.path
        )
        self.at_end(client.close)
        return client

    async def serial(self, port: int) -> bytes:
        """
        Return the certificate that a listener shows.
        """
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=self.trust())
        shown: ssl.SSLObject = writer.get_extra_info("ssl_object")
        found = shown.getpeercert(binary_form=True)
        writer.close()
        assert found is not None
        return found

    async def reload(self, daemon: DaemonProcess) -> None:
        seen = len([x for x in daemon.lines() if "reloaded" in x])
        await daemon.signal(signal.SIGHUP)

        def reloaded() -> bool:
            return len([x for x in daemon.lines() if "reloaded" in x]) > seen

        await eventually("the settings are read again", reloaded)


class TlsTests(TlsTestCase):
    """
    All four kinds of listeners.
    """

    @with_daemons
    async def test_tls_on_every_listener(self) -> None:
        """
        Clients talk over wss:, HTTP and admin answer over https:, the daemons reach
        each other by gRPC over TLS, and nothing is served in the clear.
        """
        await self.started()
        one, two = self.user(), self.user()
        sender, recipient = self.client(one), self.client(two)
        await sender.connect()
        await recipient.connect()
        texts = [f"{n} " + "x" * 9000 for n in range(60)]
        for text in texts:
            await sender.send(two, text)
        got: list[str] = []
        async with asyncio.timeout(30):
            async for event in recipient.events():
                if isinstance(event, MessageReceived):
                    got.append(event.content)
                if len(got) == len(texts):
                    break
        self.assertEqual(got, texts)
        message, connect = self.installation.message, self.installation.connect
        for port, path in (
            (message.port("admin_listen"), "/readyz"),
            (connect.port("admin_listen"), "/readyz"),
            (message.port("listen"), "/healthz"),
            (connect.port("listen"), "/healthz"),
        ):
            self.assertIn(b" 200 ", (await self.get(port, path)).splitlines()[0])
            plain = socket.create_connection(("127.0.0.1", port))
            plain.settimeout(10)
            plain.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            self.assertNotIn(b"HTTP/", plain.recv(100))
            plain.close()

    @with_daemons
    async def test_status_page(self) -> None:
        """
        The status page follows a daemon over TLS too, and does not keep it from
        stopping.
        """
        await self.started()
        message = self.installation.message
        events = await Events.open(message, self.trust())
        self.at_end(events.close)
        status = await events.until(lambda s: s["ready"])
        self.assertEqual(status["daemon"], "message")
        await events.next("sample")
        self.assertEqual(await message.terminate(), 0)
        while await events.next("status") is not None:
            pass

    @with_daemons
    async def test_renewed(self) -> None:
        """
        After SIGHUP, new connections get the renewed certificate, and open ones stay;
        a renewed one that cannot be used is one line, and the old one stays.
        """
        await self.started()
        client = self.client(self.user())
        await client.connect()
        before = client.state
        daemon = self.installation.connect
        ports = [daemon.port(name) for name in LISTENERS]
        old = [await self.serial(port) for port in ports]
        self.assertEqual(len(set(old)), 1)
        cert, key = self.authority.issue("server")
        await self.reload(daemon)
        new = [await self.serial(port) for port in ports]
        self.assertEqual(len(set(new)), 1)
        self.assertNotEqual(new, old)
        self.assertIs(client.state, before)
        line = await daemon.until_logged("settings reloaded")
        told = r"tls\.listen\.cert \(CN=server, expires [0-9: -]{19} UTC\)"
        self.assertRegex(line, f"changed files: .*{told}")
        self.assertIn("read again, unchanged: ", line)
        Path(key).write_text("not a key")
        await self.reload(daemon)
        line = await daemon.until_logged("tls.listen.cert, tls.listen.key")
        self.assertIn(f"{key} has no private key in PEM", line)
        self.assertEqual([await self.serial(port) for port in ports], new)
        self.assertIs(client.state, before)
        self.assertTrue(Path(cert).exists())

    @with_daemons
    async def test_slow_reader(self) -> None:
        """
        A client that neither reads nor answers over TLS is closed like any other, and
        takes no memory of Connect for what it does not read.
        """
        self.installation.connect.extra.update(
            {"limits.outbox_drain_s": 1.0, "limits.sends_per_s": 10000}
        )
        await self.started()
        one, two = self.user(), self.user()
        sender = self.client(one)
        await sender.connect()
        reader, writer = await asyncio.open_connection(
            "127.0.0.1",
            self.installation.connect.port("listen"),
            ssl=self.trust(),
            limit=1024,
        )
        writer.write(
            b"GET /api/v1/connect/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Sec-WebSocket-Protocol: wsmsg.v1.json\r\n"
            b"Authorization: Bearer "
            + self.installation.token(two).encode()
            + b"\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        hello = b'{"type":"hello","device":"slow"}'
        masked = bytes([0x81, 0x80 | len(hello), 0, 0, 0, 0]) + hello
        writer.write(masked)
        for n in range(800):
            await sender.send(two, f"{n} " + "y" * 15000)
        connect = self.installation.connect

        def is_over() -> bool:
            # Its silence is found first, or its slowness.
            ends = [f"of {two} {verb} after" for verb in ("ended", "closes")]
            return any(end in line for line in connect.lines() for end in ends)

        await eventually("the slow client's session is over", is_over)
        self.assertLess(connect.rss_bytes(), 300 * 2**20)
        writer.transport.abort()


class CommandTests(TlsTestCase):
    """
    Commands that ask daemons whose admin listeners speak TLS.
    """

    @with_daemons
    async def test_status_and_doctor(self) -> None:
        """
        C{wsmsg status} and C{doctor} trust the certificate that the settings name.
        """
        await self.started()
        tables = []
        for daemon in self.installation.daemons:
            lines = [f"[{daemon.kind}]", f'data_dir = "{daemon.log.parent}/data"']
            lines += [f'{key} = "{value}"' for key, value in daemon.extra.items()]
            lines += [f'{name} = "127.0.0.1:{daemon.port(name)}"' for name in LISTENERS]
            if daemon.kind == "connect":
                upstream = self.installation.ports["upstream"]
                lines.append(f'discovery = "static:127.0.0.1:{upstream}"')
            tables.append("\n".join(lines))
        file = self.installation.folder / "wsmsg.toml"
        file.write_text("\n".join(tables))
        for command in ("status", "doctor"):
            await self.run_command(command, "--config", str(file))

    @with_daemons
    async def test_row_6_groups(self) -> None:
        """
        C{wsmsg groups} trusts the authorities that C{--ca} names.
        """
        await self.started()
        url = self.installation.url.replace("ws:", "wss:")
        data = str(self.installation.folder / "data")
        options = ("--user", str(self.user()), "--url", url, "--data-dir", data)
        made = await self.run_command(
            *("groups", "create", *options, "--ca", self.authority.path, "Climbing")
        )
        self.assertRegex(made, r"^\d+\n$")

    @with_daemons
    async def test_row_6_dead_letters(self) -> None:
        """
        C{wsmsg dead-letters} trusts the authorities that C{--ca} names, and refuses a
        certificate of others.
        """
        await self.started()
        port = self.installation.message.port("admin_listen")
        key = str(self.installation.folder / "data" / "admin.key")
        url = f"https://127.0.0.1:{port}"
        told = await self.run_command(
            *("dead-letters", "list", "--message-admin", url, "--key-file", key),
            *("--ca", self.authority.path),
        )
        self.assertEqual(told, "There are no dead letters.\n")
        other = Authority(self.installation.folder, "other")
        told = await self.run_command(
            *("dead-letters", "list", "--message-admin", url, "--key-file", key),
            *("--ca", other.path),
            status=1,
        )
        self.assertIn("CERTIFICATE_VERIFY_FAILED", told)

    async def run_command(self, *arguments: str, status: int = 0) -> str:
        """
        Run C{wsmsg}, which has to end with this status.

        @return: its output.
        """
        process = await asyncio.create_subprocess_exec(
            *(str(Path(sys.executable).parent / "wsmsg"), *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=dict(os.environ),
        )
        out, _ = await process.communicate()
        self.assertEqual(process.returncode, status, out.decode())
        return out.decode()


class CertificateProofTests(TlsTestCase):
    """
    Daemons that prove themselves by certificates.
    """

    def mutual(self, connect: tuple[str, str]) -> None:
        """
        Have all daemons prove themselves by certificates.

        @param connect: the certificate that Connect shows.
        """
        self.secure(self.installation)
        own = {"message": self.authority.issue("message"), "connect": connect}
        for daemon in self.installation.daemons:
            cert, key = own[daemon.kind]
            daemon.extra.update(
                {
                    "peer.proof": "certificate",
                    "peer.cert": cert,
                    "peer.key": key,
                    "tls.rpc_listen.client_ca": self.authority.path,
                }
            )

    async def start_both(self) -> None:
        extra = self.installation.connect.extra
        for name in ("cert", "key"):  # so that Connect tells its metrics without TLS
            del extra[f"tls.admin_listen.{name}"]
        for daemon in self.installation.daemons:
            await daemon.start()

    @with_daemons
    async def test_mutual(self) -> None:
        """
        Daemons with certificates of one authority talk, without any secret.
        """
        self.authority = Authority(self.installation.folder)
        await self.start_mutual()
        await self.installation.connect.until_logged("Health#info] ready")
        names = os.listdir(self.installation.folder / "data")
        self.assertNotIn("peer.key", names)
        client = self.client(self.user())
        await client.connect()

    async def start_mutual(self) -> None:
        self.mutual(("", ""))
        connect = self.authority.issue("connect")
        extra = self.installation.connect.extra
        extra["peer.cert"], extra["peer.key"] = connect
        await self.start_both()

    @with_daemons
    async def test_other_authority(self) -> None:
        """
        A Connect with a certificate of another authority is refused, and says why.
        """
        other = Authority(self.installation.folder, "other")
        self.mutual(other.issue("connect"))
        await self.start_both()
        connect = self.installation.connect
        await connect.until_logged("probably refuses our certificate")
        failed = 'wsmsg_peer_unproven_total{reason="certificate"}'
        self.assertGreater(await metric(connect, failed), 0)

    @with_daemons
    async def test_other_name(self) -> None:
        """
        A Message whose certificate is for another name gets nothing, and Connect says
        why; C{peer.name} names the one that is wanted.
        """
        self.secure(self.installation)
        cert, key = self.authority.issue("named", "message.example")
        message, connect = self.installation.message, self.installation.connect
        message.extra["tls.rpc_listen.cert"] = cert
        message.extra["tls.rpc_listen.key"] = key
        await self.start_both()
        await connect.until_logged("the certificate of the peer is for another name")
        failed = 'wsmsg_peer_unproven_total{reason="certificate"}'
        self.assertGreater(await metric(connect, failed), 0)
        _, told = await connect.get("/readyz")
        self.assertEqual(told["dependencies"][0]["cause"], "tls")
        await connect.terminate()
        connect.extra["peer.name"] = "message.example"
        await connect.start()
        await connect.until_logged("Health#info] ready")
