"""
Tests of a sender and a recipient, against a scripted Connect.
"""

from __future__ import annotations

import asyncio

from google.protobuf.message import Message
from twisted.trial.unittest import SynchronousTestCase

from tests.bench.load.doubles import ManualTime, MemoryTransport
from wsmsg.bench.load.framing import Mask
from wsmsg.bench.load.measurements import Recorder
from wsmsg.bench.load.pairs import Pair
from wsmsg.bench.load.peers import ChatPeer, RecipientPeer, SenderPeer
from wsmsg.protocol.client_pb2 import (
    Accepted,
    ClientFrame,
    Deliver,
    Receipt,
    Rejected,
    Resync,
    Send,
    ServerFrame,
    Welcome,
)

RUN = "0a1b2c3d"
KEY = Mask(b"\0\0\0\0")


def sent(transport: MemoryTransport) -> list[ClientFrame]:
    """
    Return the client frames written since the last call.
    """
    data, found = transport.take(), []
    while data:
        length, start = data[1] & 0x7F, 6
        if length == 126:
            length, start = int.from_bytes(data[2:4], "big"), 8
        found.append(ClientFrame.FromString(data[start : start + length]))
        data = data[start + length :]
    return found


def give(peer: ChatPeer, **frame: Message) -> None:
    """
    Deliver a server frame.
    """
    payload = ServerFrame(**frame).SerializeToString()  # type: ignore[arg-type]
    length = bytes((126,)) + len(payload).to_bytes(2, "big")
    peer.data_received(b"\x82" + length + payload)


class PairTests(SynchronousTestCase):
    """
    The frames that a pair sends, and its reactions to answers.
    """

    def setUp(self) -> None:
        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)
        self.other: list[str] = []
        self.time = ManualTime()

        def peer(kind: type[ChatPeer]) -> ChatPeer:
            made = kind(KEY, "h", "/", {}, loop.create_future(), self.other.append)
            made.token, made.device, made.on_other = "t", "d", self.other.append
            made.connection_made(MemoryTransport())
            made._upgraded = True
            made.upgraded()
            return made

        sender, recipient = peer(SenderPeer), peer(RecipientPeer)
        assert isinstance(sender, SenderPeer)
        assert isinstance(recipient, RecipientPeer)
        self.sender, self.recipient = sender, recipient
        for one in (sender, recipient):
            give(one, welcome=Welcome(user=1))
            assert isinstance(one.transport, MemoryTransport)
            one.transport.take()
        self.pair = Pair(
            sender,
            recipient,
            self.time,
            mask=KEY,
            run=RUN,
            to=2,
            conversation="u:1:2",
            size=200,
            window=2,
        )
        self.recorder = Recorder(0.0, 1000.0, {})
        self.pair.begin(self.recorder)

    def from_sender(self) -> list[Send]:
        """
        Return the sends since the last call.
        """
        assert isinstance(self.sender.transport, MemoryTransport)
        return [frame.send for frame in sent(self.sender.transport)]

    def deliver(self, send: Send, seq: int) -> None:
        """
        Deliver a send, with a number.
        """
        said = Deliver(
            conversation="u:1:2", seq=seq, message_id=9, content=send.content, kind=1
        )
        give(self.recipient, deliver=said)

    def accept(self, send: Send) -> None:
        """
        Accept a send.
        """
        give(self.sender, accepted=Accepted(client_id=send.client_id, time=5))

    def test_window(self) -> None:
        """
        A place in the window is free again when its message is accepted and delivered.
        """
        self.pair.refill()
        first, _ = self.from_sender()
        self.accept(first)
        self.assertEqual(self.from_sender(), [])
        self.time.now += 0.5
        self.deliver(first, 1)
        (third,) = self.from_sender()
        self.assertEqual(third.client_id, f"{RUN}{2:012x}")
        self.assertEqual(list(self.recorder.latencies), [0.5])

    def test_scheduled(self) -> None:
        """
        Latency counts from when a message was due, however late it was written.
        """
        self.pair.window = 0
        self.pair.send_due([99.0])
        (send,) = self.from_sender()
        self.time.now = 101.5
        self.accept(send)
        self.deliver(send, 1)
        self.assertEqual(list(self.recorder.latencies), [2.5])
        self.assertEqual(list(self.recorder.lateness), [1.0])
        self.assertEqual(self.from_sender(), [])

    def test_rejected(self) -> None:
        """
        After a rejection nothing is sent for as long as the server asked.
        """
        self.pair.refill()
        first, _ = self.from_sender()
        said = Rejected(
            client_id=first.client_id, code="overloaded", retry_after_ms=200
        )
        give(self.sender, rejected=said)
        self.assertEqual(self.from_sender(), [])
        self.time.advance(0.19)
        self.assertEqual(self.from_sender(), [])
        self.time.advance(0.02)
        self.assertEqual(len(self.from_sender()), 1)
        self.assertEqual(self.pair.account.totals().rejected, {"overloaded": 1})

    def test_says_how_far(self) -> None:
        """
        The recipient acknowledges the last number, and only when it has moved.
        """
        self.pair.refill()
        for seq, send in enumerate(self.from_sender(), 1):
            self.deliver(send, seq)
        transport = self.recipient.transport
        assert isinstance(transport, MemoryTransport)
        self.pair.report_progress()
        self.pair.report_progress()
        (said,) = sent(transport)
        self.assertEqual(
            (said.delivered.conversation, said.delivered.seq), ("u:1:2", 2)
        )

    def test_doubled(self) -> None:
        """
        A message that comes twice is counted and has no second latency.
        """
        self.pair.refill()
        first, _ = self.from_sender()
        self.deliver(first, 1)
        self.deliver(first, 1)
        self.assertEqual(self.pair.account.totals().doubled, 1)
        self.assertEqual(self.recorder.count, 1)

    def test_other_frames(self) -> None:
        """
        Receipts are expected; a resync is counted with its reason.
        """
        give(self.sender, receipt=Receipt(conversation="u:1:2", user=2, delivered=1))
        give(self.recipient, resync=Resync(reason="lost"))
        self.assertEqual(self.other, ["resync: lost"])
