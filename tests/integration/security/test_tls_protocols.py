"""
The protocols that clients offer inside of TLS (ALPN, RFC 7301).
"""

from __future__ import annotations

import asyncio
import ssl

from tests.integration.cases import with_daemons
from tests.integration.security.test_tls import TlsTestCase


class ProtocolTests(TlsTestCase):
    """
    All listeners but those of gRPC speak HTTP/1.1.
    """

    @with_daemons
    async def test_protocol_is_chosen(self) -> None:
        """
        Clients that offer protocols inside of TLS, as browsers and curl do, get
        HTTP/1.1, and those that offer only others are told of none.
        """
        await self.started()
        message, connect = self.installation.message, self.installation.connect
        ports = [message.port("listen"), message.port("admin_listen")]
        ports += [connect.port("listen"), connect.port("admin_listen")]
        for port in ports:
            for offered, chosen in ((["h2", "http/1.1"], "http/1.1"), (["h2"], None)):
                context = self.trust()
                context.set_alpn_protocols(offered)
                _, writer = await asyncio.open_connection(
                    "127.0.0.1", port, ssl=context
                )
                shown: ssl.SSLObject = writer.get_extra_info("ssl_object")
                self.assertEqual(shown.selected_alpn_protocol(), chosen)
                writer.close()
