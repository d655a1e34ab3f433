"""
The client frames of the load, made from templates and not by protobuf.

A message has a number, counted by its sender, in its client id and in its content, in
hex with a fixed width.  So sends differ in those digits only, and a search for known
bytes finds the number of a received frame::

    client id   RUN(8) NUMBER(12)
    content     RUN(8) NUMBER(12) padding

The tests compare all of it with C{client_pb2}.
"""

from __future__ import annotations

from collections.abc import Sequence

from wsmsg.bench.load.framing import Mask
from wsmsg.protocol import client_pb2

RUN_CHARS = 8
NUMBER_CHARS = 12

#: The smallest content with room for a number.
SMALLEST = RUN_CHARS + NUMBER_CHARS

# The first byte of a ServerFrame: its oneof field's number, length-delimited.
WELCOME, ACCEPTED, REJECTED, DELIVER, RECEIPT = 0x0A, 0x12, 0x1A, 0x22, 0x3A

_CLIENT_ID_AT = 4 + RUN_CHARS


def varint(value: int) -> bytes:
    """
    Encode a protobuf varint.
    """
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data: bytes, at: int) -> int:
    """
    Decode the varint at an offset.
    """
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value
        shift += 7
        at += 1


def _field(number: int, value: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(value)) + value


class SendTemplate:
    """
    The sends of one sender to one recipient, or to a group.

    @param run: 8 characters that distinguish this load from others.
    @param to: the recipient; 0 for a group.
    @param size: bytes of content, at least L{SMALLEST}.
    """

    __slots__ = ("_after", "_before", "_between", "_head", "_mask")

    def __init__(self, mask: Mask, run: str, to: int, size: int, *, group: int = 0):
        marker = (run + "\0" * NUMBER_CHARS).encode()
        content = marker + b"." * (size - SMALLEST)
        where = b"\x18" + varint(group) if group else b"\x10" + varint(to)
        body = _field(1, marker) + where + _field(4, content)
        whole = _field(2, body + b"\x28\x01")
        zeros = b"\0" * NUMBER_CHARS
        self._before, self._between, self._after = whole.split(zeros)
        self._head = mask.head(len(whole))
        self._mask = mask

    def payload(self, number: int) -> bytes:
        """
        Make the C{ClientFrame} with the send of this number.
        """
        digits = b"%012x" % number
        return b"".join((self._before, digits, self._between, digits, self._after))

    def frame(self, number: int) -> bytes:
        """
        Make the same as a masked WebSocket frame.
        """
        return self._head + self._mask.apply(self.payload(number))


class EchoTemplate:
    """
    Messages of exactly C{size} bytes, with a number.
    """

    __slots__ = ("_after", "_before", "_head", "_mask")

    def __init__(self, mask: Mask, run: str, size: int):
        self._before = run.encode()
        self._after = b"." * (size - SMALLEST)
        self._head = mask.head(size)
        self._mask = mask

    def frame(self, number: int) -> bytes:
        payload = b"%s%012x%s" % (self._before, number, self._after)
        return self._head + self._mask.apply(payload)


def echo_number(data: bytes, start: int) -> int:
    """
    Return the number of an echoed message.
    """
    at = start + RUN_CHARS
    return int(data[at : at + NUMBER_CHARS], 16)


def accepted_number(data: bytes, start: int) -> int:
    """
    Return the number in an C{accepted} frame for one of our client ids.

    @raise ValueError: the client id is not ours.
    """
    if data[start + 3] != SMALLEST:
        raise ValueError("accepted for a client id that is not ours")
    at = start + _CLIENT_ID_AT
    return int(data[at : at + NUMBER_CHARS], 16)


class DeliverScanner:
    """
    Finds the numbers in the C{deliver} frames of one conversation of one run.
    """

    __slots__ = ("_content", "_content_chars", "_seq", "_seq_chars")

    def __init__(self, run: str, conversation: str, size: int):
        self._seq = _field(1, conversation.encode()) + b"\x10"
        self._seq_chars = len(self._seq)
        self._content = b"\x32" + varint(size) + run.encode()
        self._content_chars = len(self._content)

    def scan(self, data: bytes, start: int, end: int) -> tuple[int, int]:
        """
        Find the message's number and its seq; (-1, 0) if the frame is not a message of
        this run and conversation.
        """
        at = data.find(self._content, start, end)
        seq_at = data.find(self._seq, start, end)
        if at < 0 or seq_at < 0:
            return -1, 0
        at += self._content_chars
        number = int(data[at : at + NUMBER_CHARS], 16)
        return number, read_varint(data, seq_at + self._seq_chars)


def hello(token: str, device: str) -> bytes:
    """
    Make the C{ClientFrame} that opens a session.
    """
    hello = client_pb2.Hello(token=token, device=device, client="wsmsg-bench/1")
    return client_pb2.ClientFrame(hello=hello).SerializeToString()


def delivered(conversation: str, seq: int) -> bytes:
    """
    Make the C{ClientFrame} that reports how far a recipient is.
    """
    return _field(3, _field(1, conversation.encode()) + b"\x10" + varint(seq))


def create_group(client_id: str, members: Sequence[int]) -> bytes:
    """
    Make the C{ClientFrame} that creates a group of the sender and others.
    """
    made = client_pb2.CreateGroup(client_id=client_id, name="bench", members=members)
    return client_pb2.ClientFrame(create_group=made).SerializeToString()


def add(client_id: str, group: int, members: Sequence[int]) -> bytes:
    """
    Make the C{ClientFrame} that adds users to a group.
    """
    change = client_pb2.ChangeGroup(client_id=client_id, group=group, add=members)
    return client_pb2.ClientFrame(change_group=change).SerializeToString()


def refusal(data: bytes) -> tuple[str, str]:
    """
    Return code and reason of a C{rejected}.
    """
    frame = client_pb2.ServerFrame.FromString(data).rejected
    return frame.code, frame.reason


def rejected(data: bytes) -> tuple[int, str, int]:
    """
    Return the number, the code and the milliseconds to wait of a C{rejected}.
    """
    frame = client_pb2.ServerFrame.FromString(data).rejected
    number = int(frame.client_id[RUN_CHARS:] or "0", 16)
    return number, frame.code, frame.retry_after_ms


def describe(data: bytes) -> tuple[str, str]:
    """
    Return the name of a server frame that the load does not use, with the text of an
    C{error}, C{resync} or C{goaway}.
    """
    frame = client_pb2.ServerFrame.FromString(data)
    name = frame.WhichOneof("frame") or "unknown"
    return name, getattr(getattr(frame, name, None), "reason", "")
