"""
Tests of the protocols of other systems, from what their servers said: Socket.IO 4.8.4
and Centrifugo 6.9 to this code, Tinode in the examples of its API's documentation.
"""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.bench.against.centrifugo import CentrifugoWire
from wsmsg.bench.against.interface import (
    Arrived,
    Confirmed,
    Content,
    Event,
    LoadUser,
    Met,
    Ready,
    Stuck,
    ToSend,
    Unsent,
    Wire,
)
from wsmsg.bench.against.plain import PlainWire
from wsmsg.bench.against.socketio import SocketIOWire
from wsmsg.bench.against.tinode import TinodeWire

CONTENT = Content("0a1b2c3d", 24)
LOGIN = LoadUser(name="bench1s", key="", content=CONTENT)


def said(wire: Wire, message: bytes) -> list[Event]:
    """
    Return the events of a message.
    """
    return list(wire.take(message))


class ContentTests(SynchronousTestCase):
    """
    Contents with numbers.
    """

    def test_size(self) -> None:
        """
        A content has the wanted size, and its number is found again.
        """
        content = CONTENT.make(255).decode()
        self.assertEqual(content, "0a1b2c3d0000000000ff....")
        self.assertEqual(CONTENT.number(content), 255)

    def test_foreign(self) -> None:
        """
        A content of another run, or no text, has no number.
        """
        for content in ("0a1b2c3e000000000001....", {"text": "x"}, None, 7):
            self.assertEqual(CONTENT.number(content), -1)


class SocketIOTests(SynchronousTestCase):
    """
    Socket.IO over Engine.IO.
    """

    def setUp(self) -> None:
        self.wire = SocketIOWire(LOGIN)

    def test_login(self) -> None:
        """
        A user connects to Engine.IO, to Socket.IO, and joins a room.
        """
        self.assertEqual(self.wire.begin(), [])
        opened = (
            b'0{"sid":"sX_n5MOTxcbtTITaAAAY","upgrades":[],"pingInterval":25000,'
            b'"pingTimeout":20000,"maxPayload":1000000}'
        )
        self.assertEqual(said(self.wire, opened), [ToSend(b"40")])
        connected = b'40{"sid":"CUmc1i0duDMMmPYLAAAY"}'
        join = b'420["join","bench1s"]'
        self.assertEqual(said(self.wire, connected), [ToSend(join)])
        self.assertEqual(said(self.wire, b'430["4.8.4"]'), [Ready("bench1s", "4.8.4")])

    def test_message(self) -> None:
        """
        A message is sent, acknowledged and delivered.
        """
        meet = list(self.wire.meet("bench1r"))
        self.assertEqual(meet, [b'421["join","bench1s"]'])
        self.assertEqual(said(self.wire, b'431["4.8.4"]'), [Met()])
        send = b'423["send","bench1r","0a1b2c3d000000000001...."]'
        self.assertEqual(self.wire.send(1), send)
        self.assertEqual(said(self.wire, b"433[]"), [Confirmed(1)])
        self.assertEqual(said(self.wire, b'433["full"]'), [Unsent(1, "full")])
        message = b'42["message","0a1b2c3d000000000001...."]'
        self.assertEqual(said(self.wire, message), [Arrived(1)])
        self.assertEqual(said(self.wire, b'42["news",{"of":["others"]}]'), [])

    def test_upkeep(self) -> None:
        """
        A ping is answered, a refusal ends the user, and anything else is no protocol.
        """
        self.assertEqual(said(self.wire, b"2"), [ToSend(b"3")])
        self.assertEqual(said(self.wire, b"6"), [])
        refused = said(self.wire, b'44{"message":"Invalid namespace"}')
        self.assertEqual(refused, [Stuck('refused: {"message":"Invalid namespace"}')])
        with self.assertRaises(ValueError):
            said(self.wire, b'{"ctrl":{}}')


class CentrifugoTests(SynchronousTestCase):
    """
    Centrifugo's JSON protocol.
    """

    def setUp(self) -> None:
        self.wire = CentrifugoWire(LOGIN)

    def test_login(self) -> None:
        """
        A user connects and subscribes to a channel of its own.
        """
        begin = list(self.wire.begin())
        self.assertEqual(begin, [b'{"id":1,"connect":{"name":"wsmsg-bench"}}'])
        connected = (
            b'{"id":1,"connect":{"client":"cad2cf52-9066-4242-ac67-61fc1c90d7a6",'
            b'"version":"0.0.0 OSS","expires":true,"ttl":86400,"ping":25,"pong":true}}'
        )
        subscribe = b'{"id":2,"subscribe":{"channel":"wsmsg-bench-bench1s"}}'
        self.assertEqual(said(self.wire, connected), [ToSend(subscribe)])
        ready = said(self.wire, b'{"id":2,"subscribe":{}}')
        self.assertEqual(ready, [Ready("bench1s", "0.0.0 OSS")])

    def test_token(self) -> None:
        """
        With a key, the user shows a token.
        """
        login = LoadUser(name="bench1s", key="k" * 32, content=CONTENT)
        (begin,) = CentrifugoWire(login).begin()
        connect = msgspec.json.decode(begin)["connect"]
        self.assertEqual(connect["token"].count("."), 2)

    def test_message(self) -> None:
        """
        A message is sent, confirmed and delivered; several come in one frame.
        """
        self.assertEqual(list(self.wire.meet("bench1r")), [])
        publish = (
            b'{"id":4,"publish":{"channel":"wsmsg-bench-bench1r",'
            b'"data":"0a1b2c3d000000000001...."}}'
        )
        self.assertEqual(self.wire.send(1), publish)
        both = b'{"id":3,"publish":{}}\n{"id":4,"publish":{}}'
        self.assertEqual(said(self.wire, both), [Confirmed(0), Confirmed(1)])
        pushes = (
            b'{"push":{"channel":"wsmsg-bench-bench1s","pub":{"data":'
            b'"0a1b2c3d000000000000....","info":{"user":"bench1r","client":'
            b'"e409c46f-1c1b-460c-b03a-af7430036a0a"},"offset":1,"epoch":"ucSVVjxu"}}}'
            b'\n{"push":{"channel":"wsmsg-bench-bench1s","pub":{"data":'
            b'"0a1b2c3d000000000001....","offset":2}}}'
        )
        self.assertEqual(said(self.wire, pushes), [Arrived(0, 1), Arrived(1, 2)])

    def test_refused(self) -> None:
        """
        A refusal has its code; one of the subscription names a remedy.
        """
        refused = b'{"id":4,"error":{"code":111,"message":"too many requests"}}'
        events = said(self.wire, refused)
        self.assertEqual(events, [Unsent(1, "111 too many requests")])
        (denied,) = said(
            self.wire, b'{"id":2,"error":{"code":103,"message":"permission denied"}}'
        )
        assert isinstance(denied, Stuck)
        self.assertIn("103: permission denied; allow clients", denied.reason)

    def test_upkeep(self) -> None:
        """
        A ping is answered; what is no message of Centrifugo is an error.
        """
        self.assertEqual(said(self.wire, b"{}"), [ToSend(b"{}")])
        for wrong in (b"hello", b'{"ctrl":{}}', b"[]"):
            with self.assertRaises(ValueError):
                said(self.wire, wrong)


class TinodeTests(SynchronousTestCase):
    """
    Tinode's JSON protocol.
    """

    def setUp(self) -> None:
        self.wire = TinodeWire(LOGIN)

    def test_login(self) -> None:
        """
        A user says hello, makes an account and is logged in.
        """
        (begin,) = self.wire.begin()
        self.assertIn("hi", msgspec.json.decode(begin))
        hello = (
            b'{"ctrl":{"id":"hi","params":{"build":"postgres:v0.25.1","ver":"0.25",'
            b'"maxMessageSize":4194304},"code":201,"text":"created",'
            b'"ts":"2026-11-29T10:00:00.000Z"}}'
        )
        (reply,) = said(self.wire, hello)
        assert isinstance(reply, ToSend)
        account = msgspec.json.decode(reply.message)["acc"]
        self.assertEqual(account["scheme"], "basic")
        self.assertTrue(account["login"])
        made = (
            b'{"ctrl":{"id":"acc","params":{"user":"usrRkDVe0PYDOo","authlvl":"auth",'
            b'"token":"XMgS"},"code":200,"text":"ok","ts":"2026-11-29T10:00:00.000Z"}}'
        )
        ready = Ready("usrRkDVe0PYDOo", "0.25 postgres:v0.25.1")
        self.assertEqual(said(self.wire, made), [ready])

    def test_message(self) -> None:
        """
        A message is sent, confirmed, delivered with its number, and acknowledged.
        """
        (sub,) = self.wire.meet("usrB")
        wanted = {"sub": {"id": "sub", "topic": "usrB"}}
        self.assertEqual(msgspec.json.decode(sub), wanted)
        met = b'{"ctrl":{"id":"sub","topic":"usrB","code":200,"text":"ok","ts":"2026"}}'
        self.assertEqual(said(self.wire, met), [Met()])
        publish = msgspec.json.decode(self.wire.send(10))["pub"]
        self.assertEqual((publish["id"], publish["topic"]), ("a", "usrB"))
        confirmed = (
            b'{"ctrl":{"id":"a","topic":"usrB","params":{"seq":3},"code":202,'
            b'"text":"accepted","ts":"2026-11-29T10:00:00.000Z"}}'
        )
        self.assertEqual(said(self.wire, confirmed), [Confirmed(10)])
        data = (
            b'{"data":{"topic":"usrB","from":"usrB","ts":"2026-11-29T10:00:00.000Z",'
            b'"seq":3,"content":"0a1b2c3d00000000000a...."}}'
        )
        self.assertEqual(said(self.wire, data), [Arrived(10, 3)])
        note = self.wire.progress()
        assert note is not None
        told = {"topic": "usrB", "what": "recv", "seq": 3}
        self.assertEqual(msgspec.json.decode(note), {"note": told})
        self.assertIsNone(self.wire.progress())

    def test_refused(self) -> None:
        """
        A refusal has its code; one of the account names a remedy.
        """
        denied = (
            b'{"ctrl":{"id":"a","code":403,"text":"permission denied","ts":"2026"}}'
        )
        self.assertEqual(said(self.wire, denied), [Unsent(10, "403 permission denied")])
        validate = (
            b'{"ctrl":{"id":"acc","params":{"user":"usrA","cred":["email"]},"code":300,'
            b'"text":"validate credentials","ts":"2026-11-29T10:00:00.000Z"}}'
        )
        (broken,) = said(self.wire, validate)
        assert isinstance(broken, Stuck)
        self.assertIn("acc_validation", broken.reason)

    def test_others(self) -> None:
        """
        Presence, notes and news without an id are of no use; anything else is an error.
        """
        pres = b'{"pres":{"topic":"me","src":"usrB","what":"on"}}'
        info = b'{"info":{"topic":"usrB","from":"usrB","what":"recv","seq":3}}'
        news = b'{"ctrl":{"topic":"usrB","code":205,"text":"evicted","ts":"2026"}}'
        for message in (pres, info, news):
            self.assertEqual(said(self.wire, message), [])
        for wrong in (b"{}x", b'{"push":{}}', b"0{}"):
            with self.assertRaises(ValueError):
                said(self.wire, wrong)


class PlainTests(SynchronousTestCase):
    """
    The messages of the relay.
    """

    def test_all(self) -> None:
        """
        A user logs in, meets another, sends and receives.
        """
        wire = PlainWire(LOGIN)
        self.assertEqual(wire.begin(), [b"hello bench1s"])
        self.assertEqual(
            said(wire, b"welcome bench1s 17.4"), [Ready("bench1s", "17.4")]
        )
        self.assertEqual(wire.meet("bench1r"), [b"meet bench1r"])
        self.assertEqual(said(wire, b"met"), [Met()])
        self.assertEqual(wire.send(10), b"send bench1r a 0a1b2c3d00000000000a....")
        self.assertEqual(said(wire, b"accepted a"), [Confirmed(10)])
        self.assertEqual(said(wire, b"rejected a nobody"), [Unsent(10, "nobody")])
        delivered = said(wire, b"message 0a1b2c3d00000000000a....")
        self.assertEqual(delivered, [Arrived(10)])
        (broken,) = said(wire, b'{"hi":1}')
        self.assertIsInstance(broken, Stuck)
