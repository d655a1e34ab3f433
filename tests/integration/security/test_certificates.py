"""
Certificates that expire while the daemons run, callers without one, and TLS on a socket
that systemd passes.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl

from tests.integration.cases import metric, with_daemons
from tests.integration.operations.test_one_port import Activated
from tests.integration.security.certificates import Authority
from tests.integration.security.test_tls import TlsTestCase
from wsmsg.prove.faults.proxy import Proxy

DAY_S = 86400.0
#: Until a certificate expires that Message takes into use at a reload.
SOON_S = 15.0


class WantedTests(TlsTestCase):
    """
    A Message that wants certificates from Connects, which prove themselves by a secret.
    """

    @with_daemons
    async def test_row_6_certificate_wanted(self) -> None:
        """
        A Connect without a certificate, or with one that is refused, says what is
        probably wrong and which setting it is; with a good one, both proofs are made.
        """
        self.secure(self.installation)
        message, connect = self.installation.message, self.installation.connect
        message.extra["tls.rpc_listen.client_ca"] = self.authority.path
        for name in ("cert", "key"):  # so that Connect tells its metrics without TLS
            del connect.extra[f"tls.admin_listen.{name}"]
        for daemon in self.installation.daemons:
            await daemon.start()
        await connect.until_logged("and we have none: set peer.cert and peer.key")
        failed = 'wsmsg_peer_unproven_total{reason="certificate"}'
        self.assertGreater(await metric(connect, failed), 0)
        _, told = await connect.get("/readyz")
        self.assertEqual(told["dependencies"][0]["cause"], "credentials")
        other = Authority(self.installation.folder, "other")
        for issuer, told in ((other, "probably refuses"), (self.authority, "] ready")):
            await connect.terminate()
            connect.extra["peer.cert"], connect.extra["peer.key"] = issuer.issue("own")
            await connect.start()
            await connect.until_logged(told)


class ExpiryTests(TlsTestCase):
    """
    The certificate of a gRPC listener, which expires while both daemons run.
    """

    @with_daemons
    async def test_row_6_expired_between_daemons(self) -> None:
        """
        The open stream goes on; a new one is refused, with a line in both logs.  A
        renewed file and SIGHUP are enough for both.
        """
        message, connect = self.installation.message, self.installation.connect
        proxy = await Proxy.open(message.port("rpc_listen"))
        self.at_end(proxy.close)
        self.installation.ports["upstream"] = proxy.port
        self.secure_rpc()
        await self.start_both()
        self.authority.issue("rpc", days=SOON_S / DAY_S, since_days=1)
        await self.reload(message)
        await message.until_logged("alarm certificate_expires: tls.rpc_listen.cert")
        await message.until_logged("alarm certificate_expired: tls.rpc_listen.cert")
        _, told = await message.get("/readyz")
        self.assertEqual((told["ready"], told["degraded"]), (True, True))
        ends = (
            'wsmsg_certificate_expiry_timestamp_seconds{setting="tls.rpc_listen.cert"}'
        )
        self.assertGreater(await metric(message, ends), 0)
        await connect.ready()
        proxy.reset_clients()
        await connect.until_logged("the certificate of the peer has expired")
        status, told = await connect.get("/readyz")
        self.assertEqual(status, 503)
        self.assertIn("has expired", told["dependencies"][0]["last_error"])
        self.assertEqual(told["dependencies"][0]["cause"], "tls")
        unproven = 'wsmsg_peer_unproven_total{reason="certificate"}'
        self.assertGreater(await metric(connect, unproven), 0)
        self.authority.issue("rpc")
        await self.reload(message)
        await message.until_logged("alarm certificate_expired is over")
        await connect.ready()
        _, told = await message.get("/readyz")
        self.assertFalse(told["degraded"])

    def secure_rpc(self) -> None:
        self.authority = Authority(self.installation.folder)
        cert, key = self.authority.issue("rpc")
        message, connect = self.installation.message, self.installation.connect
        message.extra["tls.rpc_listen.cert"] = cert
        message.extra["tls.rpc_listen.key"] = key
        connect.extra["peer.ca"] = self.authority.path

    async def start_both(self) -> None:
        for daemon in self.installation.daemons:
            await daemon.start()
        for daemon in self.installation.daemons:
            await daemon.ready()


class CallersTests(TlsTestCase):
    """
    A listener whose callers need a certificate.
    """

    @with_daemons
    async def test_row_6_failed_handshakes(self) -> None:
        """
        Each handshake that fails is counted and logged, with the address and the
        reason: no certificate, an expired one, one of another authority, no TLS.
        """
        connect = self.installation.connect
        self.authority = Authority(self.installation.folder)
        other = Authority(self.installation.folder, "other")
        cert, key = self.authority.issue("server")
        connect.extra.update(
            {
                "tls.listen.cert": cert,
                "tls.listen.key": key,
                "tls.listen.client_ca": self.authority.path,
            }
        )
        await self.installation.start()
        good = await self.status(self.authority.issue("good"))
        self.assertEqual(good, b"HTTP/1.1 200 OK")
        for shown, reason in (
            (None, "peer did not return a certificate"),
            (self.authority.issue("old", days=-1), "the certificate has expired"),
            (other.issue("stranger"), "the certificate is not of an authority in"),
        ):
            self.assertEqual(await self.status(shown), b"")
            at = "the TLS handshake of 127.0.0.1 at listen failed: "
            await connect.until_logged(at + reason)
        plain = socket.create_connection(("127.0.0.1", connect.port("listen")))
        plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
        await connect.until_logged("at listen failed: http request")
        plain.close()
        failed = 'wsmsg_tls_failed_total{listener="listen"}'
        self.assertEqual(await metric(connect, failed), 4)

    async def status(self, shown: tuple[str, str] | None) -> bytes:
        """
        Ask for the health over TLS.

        @return: the status line; empty: the connection failed.
        """
        trust = self.trust()
        if shown is not None:
            trust.load_cert_chain(*shown)
        port = self.installation.connect.port("listen")
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
            writer.write(
                b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            )
            answer = await reader.read()
            writer.close()
            return answer.partition(b"\r\n")[0]
        return b""


class SystemdTests(TlsTestCase):
    """
    TLS on a socket that systemd listens on.
    """

    @with_daemons
    async def test_row_6_systemd_socket(self) -> None:
        """
        Clients talk over TLS on a socket that was passed to Connect, and after SIGHUP
        get the renewed certificate; nothing is served in the clear.
        """
        installation = self.installation
        held = socket.create_server(("127.0.0.1", installation.connect.port("listen")))
        connect = Activated(
            held, "connect", installation.folder, installation.ports, {}
        )
        installation.connect = connect
        self.secure(installation)
        connect.extra["listen"] = "systemd:domain=INET:index=0"
        for daemon in installation.daemons:
            await daemon.start()
        await connect.until_logged("Health#info] ready")
        client = self.client(self.user())
        await client.connect()
        port = connect.port("listen")
        old = await self.serial(port)
        self.authority.issue("server")
        await self.reload(connect)
        self.assertNotEqual(await self.serial(port), old)
        plain = socket.create_connection(("127.0.0.1", port))
        plain.settimeout(10)
        plain.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        self.assertNotIn(b"HTTP/", plain.recv(100))
        plain.close()
        held.close()
