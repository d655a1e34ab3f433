"""
Tests of the templates of the load, against the generated protobuf code.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.bench.load import encoding
from wsmsg.bench.load.encoding import (
    SMALLEST,
    DeliverScanner,
    EchoTemplate,
    SendTemplate,
    accepted_number,
    echo_number,
)
from wsmsg.bench.load.framing import Mask, split
from wsmsg.protocol.client_pb2 import (
    Accepted,
    ClientFrame,
    Deliver,
    Error,
    Rejected,
    Resync,
    ServerFrame,
    Welcome,
)

RUN = "0a1b2c3d"
ZERO = Mask(b"\0\0\0\0")
NUMBERS = st.integers(0, 2**48 - 1)
USERS = st.integers(1, 2**63 - 1)
SIZES = st.sampled_from([SMALLEST, 107, 108, 127, 128, 200, 20000])


def deliver(number: int, **changes: object) -> bytes:
    """
    Make the frame that Connect sends for the message of that number.
    """
    fields = {
        "conversation": "u:1:2",
        "seq": 1,
        "message_id": 1,
        "from": 1,
        "content": f"{RUN}{number:012x}" + "." * 180,
        "kind": 1,
        "time": 1,
        **changes,
    }
    frame = ServerFrame(deliver=Deliver(**fields))  # type: ignore[arg-type]
    return frame.SerializeToString()


class ClientFrameTests(SynchronousTestCase):
    """
    Frames that the load sends.
    """

    @given(NUMBERS, USERS, SIZES)
    def test_send(self, number: int, to: int, size: int) -> None:
        """
        A send equals that of the protobuf code, to a user or a group.
        """
        payload = SendTemplate(ZERO, RUN, to, size).payload(number)
        frame = ClientFrame.FromString(payload)
        name = f"{RUN}{number:012x}"
        self.assertEqual(frame.send.client_id, name)
        self.assertEqual(frame.send.to, to)
        self.assertEqual(frame.send.kind, 1)
        self.assertEqual(frame.send.content[:SMALLEST], name)
        self.assertEqual(len(frame.send.content), size)
        self.assertEqual(frame.SerializeToString(), payload)

    @given(NUMBERS, SIZES)
    def test_echo(self, number: int, size: int) -> None:
        """
        An echo has exactly the requested size, and its number is found again.
        """
        frame = EchoTemplate(ZERO, RUN, size).frame(number)
        self.assertEqual(len(frame), size + len(ZERO.head(size)))
        self.assertEqual(echo_number(frame, len(ZERO.head(size))), number)

    @given(st.integers(1, 2**63 - 1))
    def test_delivered(self, seq: int) -> None:
        """
        The recipient's cumulative acknowledgement equals that of the protobuf code.
        """
        frame = ClientFrame.FromString(encoding.delivered("u:1:2", seq))
        self.assertEqual(frame.delivered.conversation, "u:1:2")
        self.assertEqual(frame.delivered.seq, seq)

    def test_hello(self) -> None:
        """
        The first frame has the token and the device.
        """
        frame = ClientFrame.FromString(encoding.hello("t", "d"))
        self.assertEqual((frame.hello.token, frame.hello.device), ("t", "d"))

    def test_frame(self) -> None:
        """
        The frame of a send is its masked payload with the length in its header.
        """
        template = SendTemplate(Mask(b"abcd"), RUN, 2, 200)
        frame = template.frame(5)
        self.assertEqual(frame, Mask(b"abcd").frame(template.payload(5)))


class ServerFrameTests(SynchronousTestCase):
    """
    Frames that the load receives.
    """

    @given(NUMBERS, st.integers(1, 2**63 - 1), USERS)
    def test_deliver(self, number: int, seq: int, user: int) -> None:
        """
        The scanner finds number and seq, whatever the other fields.
        """
        data = b"before" + deliver(number, seq=seq, message_id=user, **{"from": user})
        scanner = DeliverScanner(RUN, "u:1:2", 200)
        self.assertEqual(scanner.scan(data, 6, len(data)), (number, seq))

    def test_strange_deliver(self) -> None:
        """
        The scanner ignores messages of another run or conversation.
        """
        scanner = DeliverScanner(RUN, "u:1:2", 200)
        for data in (
            deliver(1, content="ffffffff" + "0" * 192),
            deliver(1, conversation="u:1:3"),
        ):
            self.assertEqual(scanner.scan(data, 0, len(data)), (-1, 0))

    def test_next_frame(self) -> None:
        """
        The scanner does not read into the next frame.
        """
        strange = deliver(1, conversation="u:1:3", content="ffffffff" + "0" * 192)
        data = strange + deliver(7)
        scanner = DeliverScanner(RUN, "u:1:2", 200)
        self.assertEqual(scanner.scan(data, 0, len(strange)), (-1, 0))

    @given(NUMBERS, st.integers(0, 2**63 - 1))
    def test_accepted(self, number: int, time: int) -> None:
        """
        The number of an accepted send is found.
        """
        said = Accepted(client_id=f"{RUN}{number:012x}", time=time)
        data = b"x" + ServerFrame(accepted=said).SerializeToString()
        self.assertEqual(accepted_number(data, 1), number)

    def test_strange_accepted(self) -> None:
        """
        A client id that the load did not make is an error.
        """
        data = ServerFrame(accepted=Accepted(client_id="x")).SerializeToString()
        self.assertRaises(ValueError, accepted_number, data, 0)

    def test_rejected(self) -> None:
        """
        A rejection has number, code and time to wait.
        """
        said = Rejected(
            client_id=f"{RUN}{9:012x}", code="overloaded", retry_after_ms=70
        )
        data = ServerFrame(rejected=said).SerializeToString()
        self.assertEqual(encoding.rejected(data), (9, "overloaded", 70))

    def test_describe(self) -> None:
        """
        Other frames are counted by their names, with reasons where they have one.
        """
        for frame, expected in (
            (ServerFrame(resync=Resync(reason="lost")), ("resync", "lost")),
            (ServerFrame(error=Error(reason="no")), ("error", "no")),
            (ServerFrame(welcome=Welcome()), ("welcome", "")),
            (ServerFrame(), ("unknown", "")),
        ):
            self.assertEqual(encoding.describe(frame.SerializeToString()), expected)

    def test_tags(self) -> None:
        """
        The first byte of each frame is the one that the load expects.
        """
        for name in ("welcome", "accepted", "rejected", "deliver", "receipt"):
            frame = ServerFrame()
            getattr(frame, name).SetInParent()
            tag = getattr(encoding, name.upper())
            self.assertEqual(frame.SerializeToString()[0], tag, name)


class VarintTests(SynchronousTestCase):
    """
    Numbers on the wire.
    """

    @given(st.integers(0, 2**64 - 1))
    def test_there_and_back(self, value: int) -> None:
        """
        A number is decoded as it was encoded.
        """
        data = b"\xff" + encoding.varint(value) + b"\xff"
        self.assertEqual(encoding.read_varint(data, 1), value)


class StreamTests(SynchronousTestCase):
    """
    Frames and framing together.
    """

    def test_two_delivers_in_one_read(self) -> None:
        """
        Messages that arrive in one piece are separated.
        """
        scanner = DeliverScanner(RUN, "u:1:2", 200)
        data = b""
        for number in (3, 4):
            payload = deliver(number, seq=number + 1)
            data += bytes((0x82, 126)) + len(payload).to_bytes(2, "big") + payload
        found = [scanner.scan(data, start, end) for _, start, end in split(data)]
        self.assertEqual(found, [(3, 4), (4, 5)])
