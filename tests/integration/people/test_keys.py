"""
Keys of tokens: several, of an issuer, and replaced, with real daemons.
"""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Any

import websockets
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import Site

from tests.auth.issuers import entry, key_set, signed
from tests.integration.cases import IntegrationTestCase, eventually, with_daemons
from tests.integration.device import Device
from tests.integration.installation import Installation, free_ports
from wsmsg.auth.local_key import FILE_NAME
from wsmsg.errors import Close
from wsmsg.protocol import client_pb2 as pb

_OTHER = ec.generate_private_key(ec.SECP256R1())


class _Issuer(Resource):
    """
    The key set of an issuer, over HTTP.
    """

    isLeaf = True

    def __init__(self, data: bytes) -> None:
        Resource.__init__(self)
        self.data = data
        self.status = 200
        self.asked = 0

    def render_GET(self, request: Any) -> bytes:
        self.asked += 1
        request.setResponseCode(self.status)
        return self.data


class IssuerTests(IntegrationTestCase):
    """
    The keys of an issuer, by a URL.
    """

    alone = True

    def _installed(self) -> Installation:
        [self.issuer_port] = free_ports(1)
        jwks = f"http://127.0.0.1:{self.issuer_port}/keys"
        return Installation(connect={"token.jwks": jwks})

    async def issue(self, *entries: Any) -> _Issuer:
        """
        Start the issuer's server with these keys.
        """
        issuer = _Issuer(key_set(*entries))
        net: Any = reactor
        port = net.listenTCP(self.issuer_port, Site(issuer), interface="127.0.0.1")

        async def stop() -> None:
            await port.stopListening().asFuture(asyncio.get_running_loop())

        self.stop_issuer = stop
        self.at_end(stop)
        return issuer

    async def status(self, token: str) -> tuple[int, str]:
        """
        Return the status of a handshake with this token, and its C{Retry-After}.
        """
        try:
            device = await self.dial(1001, token=token)
        except websockets.InvalidStatus as e:
            headers = e.response.headers
            return e.response.status_code, headers.get("Retry-After", "")
        await device.greet()
        return 101, ""

    async def becomes(self, token: str, wanted: int) -> None:
        """
        Wait until handshakes with this token have this status.
        """

        async def there() -> bool:
            return (await self.status(token))[0] == wanted

        await eventually(f"status {wanted}", there)

    @with_daemons
    async def test_keys_of_an_issuer(self) -> None:
        """
        Tokens of several keys and algorithms are believed.  A key that is not known is
        fetched; while the issuer is away it is answered with 503 and C{Retry-After},
        and the known keys stay.
        """
        issuer = await self.issue(entry("RS256", "a"), entry("EdDSA", "b"))
        await self.installation.start()
        await self.becomes(signed("RS256", "a"), 101)
        self.assertEqual((await self.status(signed("EdDSA", "b")))[0], 101)
        self.assertEqual((await self.status(signed("RS256", "b")))[0], 503)
        # A new key, which is published before it is fetched.
        issuer.data = key_set(entry("RS256", "a"), entry("ES256", "c"))
        code, retry = await self.status(signed("ES256", "c"))
        self.assertEqual(code, 503)
        self.assertGreaterEqual(int(retry), 1)
        await self.becomes(signed("ES256", "c"), 101)
        await self.becomes(signed("ES256", "nobody"), 401)
        self.assertLessEqual(issuer.asked, 4)
        # The issuer is away.
        issuer.status = 500
        await self.installation.connect.signal(signal.SIGHUP)

        async def degraded() -> bool:
            _, document = await self.installation.connect.get("/readyz")
            errors = [d["last_error"] for d in document["dependencies"]]
            return document["ready"] and "answered 500" in errors

        await eventually("the state of the keys", degraded)
        self.assertEqual((await self.status(signed("RS256", "a")))[0], 101)
        code, retry = await self.status(signed("ES256", "d", _OTHER))
        self.assertEqual((code, bool(retry)), (503, True))
        issuer.data = key_set(entry("RS256", "a"), entry("ES256", "d", _OTHER))
        issuer.status = 200
        await self.becomes(signed("ES256", "d", _OTHER), 101)

    @with_daemons
    async def test_away_at_the_start(self) -> None:
        """
        A Connect that starts while the issuer is away asks clients to come again, in
        the handshake and in hello, and takes them when the keys are there.
        """
        await self.installation.start()
        self.assertEqual((await self.status(signed("ES256", "c")))[0], 503)
        device = await self.device_without_token()
        await device.send_frame(hello=pb.Hello(token=signed("ES256", "c")))
        error = await device.expect("error")
        self.assertEqual(error.code, "unavailable")
        self.assertGreater(error.retry_after_ms, 0)
        self.assertEqual(await device.closed(), Close.UNAVAILABLE)
        await self.issue(entry("ES256", "c"))
        await self.becomes(signed("ES256", "c"), 101)

    async def device_without_token(self) -> Device:
        device = await Device.dial(self.installation.url, None)
        self.at_end(device.close)
        return device


class LocalKeyTests(IntegrationTestCase):
    """
    The key in the data directory.
    """

    alone = True

    @with_daemons
    async def test_replaced_at_sighup(self) -> None:
        """
        A key that replaces C{token.key} takes effect at SIGHUP: tokens of the old one
        are refused, and sessions go on.
        """
        installation = self.installation
        await installation.start()
        user = self.user()
        old = installation.token(user)
        device = await self.device(user)
        path = installation.folder / "data" / FILE_NAME
        path.unlink()
        path.touch(0o600)
        path.write_text("k" * 48 + "\n")
        await installation.connect.signal(signal.SIGHUP)
        await installation.connect.until_logged("changed files: token.key")
        with self.assertRaises(websockets.InvalidStatus) as caught:
            await self.dial(user, token=old)
        self.assertEqual(caught.exception.response.status_code, 401)
        await self.device(user, "tablet")
        self.assertTrue((await device.send(user, "c", "still here")).time)

    @with_daemons
    async def test_lifetime(self) -> None:
        """
        A token that lives for longer than the setting allows is refused, and so is one
        that does not say when it was issued.
        """
        self.installation.connect.extra["token.max_lifetime_s"] = 3600
        await self.installation.start()
        now = int(time.time())
        user = self.user()
        for claims, wanted in (
            ({"exp": now + 3500, "iat": now}, 101),
            ({"exp": now + 3500}, 401),
            ({"exp": now + 3500, "iat": now - 200}, 401),
            ({"exp": now + 10_000}, 401),
        ):
            token = self.installation.token(user, **claims)
            try:
                await self.dial(user, token=token)
                found = 101
            except websockets.InvalidStatus as e:
                found = e.response.status_code
            self.assertEqual(found, wanted, claims)
