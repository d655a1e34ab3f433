"""
TLS on a listener behind a balancer of TCP connections, which sends the PROXY protocol.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from tests.integration.cases import eventually, metric, with_daemons
from tests.integration.installation import Installation
from tests.integration.security.test_tls import TlsTestCase

#: Where the balancer connects from, and an address that may not send headers.
BALANCER, STRANGER = "127.0.0.2", "127.0.0.3"
CLIENT = "192.0.2.7"
V1 = f"PROXY TCP4 {CLIENT} 10.0.0.1 4711 443\r\n".encode()
V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\7\n\0\0\1\x12\x67\1\xbb"
UNKNOWN = b"PROXY UNKNOWN\r\n"
REFUSED = 'wsmsg_connect_refused_total{reason="proxy"}'

BAD_LOGIN = (
    b"GET /api/v1/connect/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: wsmsg.v1.json\r\nAuthorization: Bearer bad\r\n\r\n"
)


class ProxiedTlsTests(TlsTestCase):
    """
    A header comes before the handshake of TLS, which passes through the balancer.
    """

    connect: ClassVar = {"limits.connections_per_address": 1}

    def installed(self) -> None:
        for daemon in self.installation.daemons:
            daemon.extra["proxies"] = BALANCER
            daemon.extra["proxy_protocol"] = "true"

    def secure(self, installation: Installation) -> None:
        super().secure(installation)
        for name in ("cert", "key"):  # so that Connect tells its metrics without TLS
            del installation.connect.extra[f"tls.admin_listen.{name}"]

    async def started(self) -> None:
        await super().started()
        self.port = self.installation.connect.port("listen")

    @contextmanager
    def opened(self, source: str = BALANCER, port: int = 0) -> Iterator[socket.socket]:
        """
        Open a connection as a balancer does.
        """
        target = ("127.0.0.1", port or self.port)
        with socket.create_connection(target, 20, (source, 0)) as opened:
            yield opened

    def ask(self, header: bytes, request: bytes, port: int = 0) -> bytes:
        """
        Send a header, then a request over TLS.

        @return: the answer.
        """
        with self.opened(port=port) as opened:
            opened.sendall(header)
            with self.trust().wrap_socket(opened, server_hostname="127.0.0.1") as tls:
                tls.sendall(request)
                answer = b""
                try:
                    while data := tls.recv(65536):
                        answer += data
                except ssl.SSLEOFError:
                    pass  # a refusal closes without the farewell of TLS
                return answer

    def ends(self, opened: socket.socket) -> bytes:
        """
        Return what a connection that the daemon ends has sent.
        """
        try:
            return opened.recv(65536)
        except ConnectionResetError:
            return b""

    @with_daemons
    async def test_header_before_tls(self) -> None:
        """
        HTTP and WebSockets over TLS have the address that a header of version 1 or 2
        tells before it, at both daemons.
        """
        await self.started()
        for header in (V1, V2):
            answer = self.ask(header, b"GET /healthz HTTP/1.0\r\nHost: x\r\n\r\n")
            self.assertIn(b" 200 ", answer)
            self.assertIn(b" 401 ", self.ask(header, BAD_LOGIN))
        connect, message = self.installation.connect, self.installation.message
        lines = [line for line in connect.lines() if f"refused {CLIENT}: token" in line]
        self.assertEqual(len(lines), 2)
        answer = self.ask(V2, b"GET /healthz HTTP/1.0\r\n\r\n", message.port("listen"))
        self.assertIn(b" 200 ", answer)

    @with_daemons
    async def test_in_pieces(self) -> None:
        """
        Header and handshake may arrive in one piece or byte by byte.
        """
        await self.started()
        for header in (V1, V2):
            for size in (1, 20, 10_000):
                context = self.trust()
                into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
                tls = context.wrap_bio(into, out, server_hostname="127.0.0.1")
                with self.assertRaises(ssl.SSLWantReadError):
                    tls.do_handshake()
                data = header + out.read()
                with self.opened() as opened:
                    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    for at in range(0, len(data), size):
                        opened.sendall(data[at : at + size])
                    into.write(opened.recv(65536))
                    tls.do_handshake()
                self.assertIsNotNone(tls.version())

    @with_daemons
    async def test_who_may_send(self) -> None:
        """
        A header of an address that is not listed, a handshake of TLS without a header,
        and a header inside of TLS are refused, and no address in them is believed.
        """
        await self.started()
        connect = self.installation.connect
        with self.opened(STRANGER) as opened:
            self.assertEqual(self.ends(opened), b"")
        with self.opened() as opened, self.assertRaises(OSError):
            self.trust().wrap_socket(opened, server_hostname="127.0.0.1")
        self.assertEqual(await metric(connect, REFUSED), 2)
        answer = self.ask(UNKNOWN, V1 + BAD_LOGIN)
        self.assertNotIn(b" 401 ", answer)
        await connect.until_logged(f"refused {STRANGER}: proxy: is not in proxies")
        await connect.until_logged(f"refused {BALANCER}: proxy: there is no header")
        self.assertEqual([line for line in connect.lines() if CLIENT in line], [])

    @with_daemons
    async def test_failed_handshake(self) -> None:
        """
        A handshake of TLS that fails is logged with the address of the client.
        """
        await self.started()
        with self.opened() as opened:
            opened.sendall(V1 + b"GET / HTTP/1.0\r\n\r\n")
            self.assertNotIn(b"HTTP/", self.ends(opened))
        connect = self.installation.connect
        await connect.until_logged(f"the TLS handshake of {CLIENT} at listen failed")

    @with_daemons
    async def test_refused_before_the_handshake(self) -> None:
        """
        Connections over a limit of the client's address are closed before TLS costs
        anything, without a word in the log for each.
        """
        await self.started()
        connect = self.installation.connect
        held = []
        for _ in range(80):
            opened = socket.create_connection(
                ("127.0.0.1", self.port), 20, (BALANCER, 0)
            )
            self.addCleanup(opened.close)
            opened.sendall(V1)
            held.append(opened)
        refused = 'wsmsg_connect_refused_total{reason="address"}'

        async def all_refused() -> bool:
            return await metric(connect, refused) >= len(held) - 1

        await eventually("all but one are refused", all_refused)
        closed = 0
        for opened in held:
            opened.setblocking(False)
            try:
                closed += not self.ends(opened)
            except BlockingIOError:
                continue
        self.assertEqual(closed, 80 - 1 - 64)
