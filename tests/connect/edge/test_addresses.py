"""
Limits by address, proxies, and refusals in the log.
"""

from __future__ import annotations

import gc
import struct
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.connect.websocket.port_in_memory import Edge, Wire, upgrade
from wsmsg.connect.edge.budgets import RESTING, Budgets, group_of
from wsmsg.connect.edge.refusals import label_of
from wsmsg.errors import Close, Unauthenticated
from wsmsg.http.proxies import Proxies, read_proxy_header

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def version_2(source: bytes, *, command: int = 1, extra: bytes = b"") -> bytes:
    """
    Return a header of version 2 for an address.
    """
    family = {4: 0x11, 16: 0x21, 0: 0x00}[len(source)]
    rest = source + bytes(len(source)) + (b"\0\1\0\2" if source else b"") + extra
    return SIGNATURE + struct.pack("!BBH", 0x20 | command, family, len(rest)) + rest


class AddressTests(SynchronousTestCase):
    """
    Handshakes and failed logins of addresses.
    """

    def shake(self, edge: Edge, host: str, **headers: str) -> int:
        """
        Make a handshake, and return its status; 0: closed without an answer.
        """
        wire = edge.connect(host)
        if wire.refused:
            return 0
        wire.send(upgrade(**headers))
        answer = wire.transport.written()
        wire.lose()
        return int(answer.split()[1])

    def test_row_9_one_hostile_address(self) -> None:
        """
        3,000 handshakes a second of one address leave every login from elsewhere
        undisturbed, and most of them are closed before a byte of them is read.
        """
        edge = Edge(limits={"handshakes_per_s": 500})
        edge.admission.admit("10.6.6.6")
        hostile, elsewhere = [], []
        for n in range(3000):
            hostile.append(self.shake(edge, "10.6.6.6", Authorization="bad"))
            if n % 10 == 0:
                elsewhere.append(self.shake(edge, f"10.1.{n // 250}.{n % 250}"))
            edge.clock.advance(1 / 3000)
        self.assertEqual(set(elsewhere), {101})
        self.assertLess(hostile.count(401), 100)

    def test_row_9_failures_cost_more(self) -> None:
        """
        A refused login costs its address as much as ten welcomes, and no other address
        anything.
        """
        edge = Edge(limits={"handshakes_per_s": 1000, "address_handshakes_per_s": 100})
        for _ in range(10):
            self.assertEqual(self.shake(edge, "10.0.0.1", Authorization="bad"), 401)
        self.assertEqual(self.shake(edge, "10.0.0.1"), 429)
        self.assertEqual(edge.admission.refused["address_handshakes"], 1)
        for _ in range(100):
            self.assertEqual(self.shake(edge, "10.0.0.2"), 101)
        edge.clock.advance(2)
        self.assertEqual(self.shake(edge, "10.0.0.1"), 101)

    def test_row_9_ipv6(self) -> None:
        """
        Addresses of one /64 are one address, and so are IPv4 and its form in IPv6.
        """
        self.assertEqual(group_of("2001:db8:1:2:3::4"), group_of("2001:db8:1:2::"))
        self.assertNotEqual(group_of("2001:db8:1:3::"), group_of("2001:db8:1:2::"))
        self.assertEqual(group_of("::ffff:192.0.2.7"), "192.0.2.7")
        self.assertEqual(group_of("fe80::1%eth0"), "fe80::/64")
        edge = Edge(limits={"connections_per_address": 1})
        edge.connect("2001:db8::1")
        self.assertEqual(self.shake(edge, "2001:db8::2"), 429)
        self.assertEqual(self.shake(edge, "2001:db8:0:1::2"), 101)

    def test_row_9_http_of_a_flooding_address(self) -> None:
        """
        A health check from an address that makes too many handshakes is answered.
        """
        edge = Edge(limits={"address_handshakes_per_s": 1})
        self.assertEqual(self.shake(edge, "10.0.0.1"), 101)
        wire = edge.connect("10.0.0.1")
        wire.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertIn(b"200 OK", wire.transport.written())

    def test_row_9_quiet_addresses_cost_nothing(self) -> None:
        """
        Handshakes of an address that is known allocate nothing, and two seconds after
        its last one an address is forgotten.
        """
        budgets, now_s = Budgets(100.0), 0.0

        def come(group: str, now_s: float) -> None:
            budgets.opened(group, now_s)
            budgets.take(group, now_s)
            budgets.closed(group, now_s)

        for n in range(3 * RESTING):
            come(f"10.{n}", now_s)
        self.assertEqual(len(budgets), RESTING)
        budgets.forget(3.0)
        self.assertEqual(len(budgets), 0)
        groups = [f"10.{n}" for n in range(100)]
        for group in groups:
            budgets.opened(group, 3.0)
        gc.collect()
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        before = tracemalloc.get_traced_memory()[0]
        for n in range(100):
            for group in groups:
                budgets.opened(group, 3.0 + n)
                budgets.take(group, 3.0 + n)
                budgets.closed(group, 3.0 + n)
        grown = tracemalloc.get_traced_memory()[0] - before
        self.assertLess(grown, 10_000)


class ForwardedTests(SynchronousTestCase):
    """
    C{X-Forwarded-For} of proxies.
    """

    def client(self, *values: bytes, address: str = "10.0.0.1") -> str:
        head = b"GET / HTTP/1.1\r\n" + b"".join(
            b"X-Forwarded-For: %s\r\n" % value for value in values
        )
        return Proxies(["10.0.0.0/8", "fd00::/8"]).client_of(address, head + b"\r\n")

    def test_row_9_forwarded(self) -> None:
        """
        The address is the last one that is no listed proxy, whatever stands before it.
        """
        for values, client in (
            ((b"192.0.2.7",), "192.0.2.7"),
            ((b"6.6.6.6, 192.0.2.7",), "192.0.2.7"),
            ((b"192.0.2.7, 10.0.0.9",), "192.0.2.7"),
            ((b"6.6.6.6", b"192.0.2.7 , 10.1.1.1"), "192.0.2.7"),
            ((b"192.0.2.7:4711",), "192.0.2.7"),
            ((b"[2001:db8::7]:4711",), "2001:db8::7"),
            ((b'"[2001:db8::7]"',), "2001:db8::7"),
            ((b"2001:db8::7",), "2001:db8::7"),
            ((b"::ffff:192.0.2.7",), "192.0.2.7"),
            ((b"192.0.2.7, unknown",), "10.0.0.1"),
            ((b"192.0.2.7, ,",), "10.0.0.1"),
            ((b"192.0.2.7, \xff\x1b[31m, 10.0.0.9",), "10.0.0.9"),
            ((b"10.0.0.3",), "10.0.0.3"),
            ((b"1.2.3.4," * 1000 + b"192.0.2.7",), "192.0.2.7"),
            ((), "10.0.0.1"),
        ):
            self.assertEqual(self.client(*values), client, values)

    def test_row_9_forwarded_by_strangers(self) -> None:
        """
        An address that is not listed cannot say that it is another.
        """
        self.assertEqual(self.client(b"1.1.1.1", address="192.0.2.9"), "192.0.2.9")

    def test_row_9_limits_behind_a_proxy(self) -> None:
        """
        The limits hold for the addresses behind the proxy, and not for the proxy.
        """
        limits = {"connections_per_address": 1, "address_handshakes_per_s": 1}
        edge = Edge(proxies=["10.0.0.1"], limits=limits)
        wires = []
        for n in range(20):
            wires.append(edge.connect("10.0.0.1"))
            wires[-1].send(upgrade(**{"X-Forwarded-For": f"192.0.2.{n}"}))
            self.assertIn(b" 101 ", wires[-1].transport.written())
            self.assertEqual(wires[-1].transport.protocol.address, f"192.0.2.{n}")
        wire = edge.connect("10.0.0.1")
        wire.send(upgrade(**{"X-Forwarded-For": "192.0.2.3"}))
        self.assertIn(b" 429 ", wire.transport.written())
        wire.lose()
        for wire in wires:
            wire.lose()
        self.assertEqual(edge.admission.connections, 0)

    @given(st.binary(max_size=200))
    def test_hostile(self, value: bytes) -> None:
        """
        No header makes more of an address than an address.
        """
        self.assertTrue(self.client(value.replace(b"\n", b"")))


class ProxyProtocolTests(SynchronousTestCase):
    """
    The PROXY protocol.
    """

    def setUp(self) -> None:
        self.edge = Edge(proxies=["10.0.0.1"], proxy_protocol=True)

    def address(self, header: bytes, size: int = 10_000) -> str:
        """
        Return the address that a connection with this header counts for.
        """
        wire = self.edge.connect("10.0.0.1")
        data = header + upgrade()
        for at in range(0, len(data), size):
            wire.send(data[at : at + size])
        self.assertIn(b" 101 ", wire.transport.written())
        found: str = wire.transport.protocol.address
        wire.lose()
        self.assertEqual(self.edge.admission.connections, 0)
        return found

    def test_row_9_proxy_protocol(self) -> None:
        """
        Versions 1 and 2 tell the address of a client, in whatever pieces they arrive;
        without one, the address is that of the proxy.
        """
        v6 = bytes.fromhex("20010db8" + "00" * 11 + "07")
        for header, address in (
            (b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 21005\r\n", "192.0.2.7"),
            (b"PROXY TCP6 2001:db8::7 ::1 4711 21005\r\n", "2001:db8::7"),
            (b"PROXY UNKNOWN\r\n", "10.0.0.1"),
            (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", "10.0.0.1"),
            (version_2(bytes([192, 0, 2, 7])), "192.0.2.7"),
            (version_2(bytes([192, 0, 2, 7]), extra=b"\4\0\1x"), "192.0.2.7"),
            (version_2(v6), "2001:db8::7"),
            (version_2(bytes([192, 0, 2, 7]), command=0), "10.0.0.1"),
            (version_2(b""), "10.0.0.1"),
            (version_2(b"", command=0), "10.0.0.1"),
        ):
            for size in (1, 7, 10_000):
                self.assertEqual(self.address(header, size), address, header)

    def test_row_9_malformed_proxy_header(self) -> None:
        """
        A connection whose header is malformed, too long or missing is closed, and
        counted.
        """
        for n, header in enumerate(
            (
                b"GET / HTTP/1.1\r\n\r\n",
                b"PROXY TCP4 999.0.2.7 10.0.0.1 1 2\r\n",
                b"PROXY TCP4 192.0.2.7 10.0.0.1 1 99999\r\n",
                b"PROXY TCP4 2001:db8::7 ::1 1 2\r\n",
                b"PROXY TCP4\r\n",
                b"PROXY " + b"x" * 200,
                SIGNATURE + b"\x31\x11\0\x0c" + bytes(12),
                SIGNATURE + b"\x21\x11\xff\xff" + bytes(12),
                SIGNATURE + b"\x21\x11\0\x04" + bytes(12),
            ),
            1,
        ):
            wire = self.edge.connect("10.0.0.1")
            wire.send(header)
            self.assertTrue(wire.transport.aborted, header)
            wire.lose()
            self.assertEqual(self.edge.admission.refused["proxy"], n, header)

    def test_row_9_slow_proxy_header(self) -> None:
        """
        A header that does not arrive in time ends the connection.
        """
        wire = self.edge.connect("10.0.0.1")
        wire.send(b"PROXY TCP4 192.")
        for _ in range(40):
            self.edge.clock.advance(0.25)
        self.assertTrue(wire.transport.aborted)

    def test_row_9_proxy_header_of_strangers(self) -> None:
        """
        An address that is not listed is refused before it says anything; and without
        the setting such a header is no HTTP.
        """
        self.assertTrue(self.edge.connect("192.0.2.9").refused)
        edge = Edge(proxies=["10.0.0.1"])
        wire = Wire(edge, "10.0.0.1")
        wire.send(b"PROXY TCP4 1.1.1.1 10.0.0.1 1 2\r\n" + upgrade())
        self.assertNotIn(b" 101 ", wire.transport.written())

    @given(st.binary(max_size=64))
    def test_hostile(self, data: bytes) -> None:
        """
        Any bytes are a header, a part of one, or refused.
        """
        for begin in (b"", b"PROXY ", SIGNATURE, SIGNATURE + b"\x21\x11"):
            try:
                found = read_proxy_header(begin + data)
            except ValueError:
                continue
            self.assertTrue(found is None or found.length <= len(begin + data))


class RefusalTests(SynchronousTestCase):
    """
    Refused handshakes and logins in the log and the metrics.
    """

    def test_row_15_counted_and_logged(self) -> None:
        """
        A refusal is counted by its reason, and logged with the address.
        """
        edge = Edge()
        with capturedLogs() as logs:
            for headers in (
                {"Authorization": "bad"},
                {"Origin": "http://evil.example"},
            ):
                wire = edge.connect("192.0.2.7")
                wire.send(upgrade(**headers))
                wire.lose()
        refused = [event for event in logs if "fault" in event]
        self.assertEqual(
            [(e["address"], e["fault"], e["log_level"]) for e in refused],
            [
                ("192.0.2.7", "token_unreadable", LogLevel.info),
                ("192.0.2.7", "origin", LogLevel.info),
            ],
        )
        self.assertEqual(edge.admission.refused["origin"], 1)

    def test_row_15_nobody_fills_the_log(self) -> None:
        """
        In a minute, five lines and a sum are written of one address, and of all of them
        300 lines and 101 sums, however many addresses there are.
        """
        edge = Edge()
        with capturedLogs() as logs:
            for n in range(1245):
                edge.admission.refusals.note("192.0.2.7", "origin", f"{n}")
            edge.clock.advance(60)
        self.assertEqual(len(logs), 6)
        self.assertEqual(logs[-1]["more"], 1240)
        with capturedLogs() as logs:
            for n in range(50_000):
                edge.admission.refusals.note(f"10.0.{n >> 8}.{n & 255}", "origin", "x")
            edge.clock.advance(60)
        self.assertEqual(len(logs), 401)
        self.assertEqual(sum(e.get("more", 1) for e in logs), 50_000)

    def test_row_15_label_of_the_error(self) -> None:
        """
        The label of a refused token is that of its error, whatever the words are.
        """
        odd = "the signature of a debug token that has expired"
        self.assertEqual(label_of(Unauthenticated(odd, fault="key")), "token_key")
        self.assertEqual(label_of(Unauthenticated(odd)), "token_other")
        admission = Edge().admission
        admission.login_failed("192.0.2.7", Close.UNAUTHENTICATED, odd, "revoked")
        self.assertEqual(dict(admission.refused), {"token_revoked": 1})

    def test_quiet(self) -> None:
        """
        Without refusals there is no timer.
        """
        edge = Edge()
        clock: Clock = edge.clock
        timers = len(clock.getDelayedCalls())
        edge.admission.refusals.note("192.0.2.7", "origin", "x")
        self.assertEqual(len(clock.getDelayedCalls()), timers + 1)
        edge.admission.refusals.stop()
        self.assertEqual(len(clock.getDelayedCalls()), timers)
