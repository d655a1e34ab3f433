"""
Rates of HTTP requests by address, and the one address of all connections.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.connect.edge.test_http import request, users
from tests.connect.websocket.port_in_memory import Edge, Wire
from wsmsg.connect.edge.admission import SEVERAL
from wsmsg.http.server.rates import RequestRates

PROXY = "10.0.0.1"


class HttpAddressTests(SynchronousTestCase):
    """
    The rate of requests from one address.
    """

    def ask(self, edge: Edge, host: str, client: str) -> bytes:
        """
        Make a request over a connection of its own.

        @return: the status line; empty: it waits.
        """
        wire = Wire(edge, host)
        wire.send(request(users(1001), X_Forwarded_For=client))
        return wire.transport.written().partition(b"\r\n")[0]

    def test_row_9_http_behind_a_proxy(self) -> None:
        """
        Behind a listed proxy, each client has the rate of HTTP for itself; nobody gets
        another rate by a header that the sender may forge.
        """
        edge = Edge(proxies=[PROXY], limits={"http_per_s": 1})
        good = b"HTTP/1.1 200 OK"
        flood = [self.ask(edge, PROXY, "203.0.113.9") for _ in range(9)]
        self.assertEqual(flood[0], good)
        self.assertTrue(flood[-1].startswith(b"HTTP/1.1 429"), flood[-1])
        self.assertEqual(self.ask(edge, PROXY, "203.0.113.8"), good)
        forged = [self.ask(edge, "192.0.2.7", f"203.0.113.{n}") for n in range(9)]
        self.assertTrue(forged[-1].startswith(b"HTTP/1.1 429"), forged[-1])
        forged = [self.ask(edge, PROXY, f"10.9.9.{n}, 192.0.2.9") for n in range(9)]
        self.assertTrue(forged[-1].startswith(b"HTTP/1.1 429"), forged[-1])

    def test_networks(self) -> None:
        """
        Addresses of IPv6 count by their first 64 bits; a proxy that speaks for itself
        is not counted.
        """
        admission = Edge(proxies=[PROXY]).admission
        rates = RequestRates(lambda: 1, admission.counted_as)
        waits = [rates.wait_s(f"2001:db8::{n}", 0.0) for n in range(9)]
        self.assertIsNone(waits[-1])
        self.assertEqual(rates.wait_s("2001:db8:0:1::1", 0.0), 0.0)
        waits = [rates.wait_s(PROXY, 0.0) for _ in range(99)]
        self.assertEqual(set(waits), {0.0})

    def test_row_9_sole_address(self) -> None:
        """
        The status names the address of all connections, once there are several: it may
        be a proxy that is not listed.
        """
        edge = Edge()
        wires = [Wire(edge, PROXY) for _ in range(SEVERAL - 1)]
        self.assertEqual(edge.admission.sole_address, "")
        wires.append(Wire(edge, PROXY))
        self.assertEqual(edge.admission.sole_address, PROXY)
        wires.append(Wire(edge, "192.0.2.7"))
        self.assertEqual(edge.admission.sole_address, "")
        listed = Edge(proxies=[PROXY])
        wires = [Wire(listed, PROXY) for _ in range(SEVERAL)]
        self.assertEqual(listed.admission.sole_address, "")
