"""
The frames of a client, from the bytes of its connection (RFC 6455 sections 5 and 7.4).

::

    bytes --> next --.--> usual_frame                        nearly every frame
                     `--> header --> payload --> message     pings, closes, fragments,
                                                             frames in several segments

L{usual_frame} parses what nearly all frames are: complete, masked, and a message of one
fragment.  It takes a few microseconds.

A violation of RFC 6455 is refused as soon as its bytes are there: a bad header before
its payload, a message that is too large before the rest of it, and text that is not
UTF-8 at the wrong character.
"""

from __future__ import annotations

import codecs

from wsmsg.connect.websocket.frames import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    FrameError,
)
from wsmsg.errors import Close

#: Instead of the first byte of a frame: so many small fragments of a message more, none
#: of which ends it.  They cost about as much as a message.
FRAGMENTS = 0x00
FRAGMENTS_COUNTED = 64
#: Fragments with less payload, in bytes, are small: they cost more than they carry.
SMALL_BYTES = 512
#: The most fragments without any payload in a message.
EMPTY_FRAGMENTS = 1024

_LONGER = 126
_FIN = 0x80
_CONTROL = 0x08
_HEADER_BYTES = {126: 4, 127: 10}
# A masked pong without a payload: two bytes, and the mask.
_EMPTY_PONG = bytes((PONG, 0x80))
_NOT_TEXT = "the text is not UTF-8"
_decoder = codecs.getincrementaldecoder("utf-8")


class _Message:
    """
    A message that is not complete.

    @ivar data: what was received, without masks.
    @ivar decoder: checks the text; L{None} for a message that is not to be checked.
    """

    __slots__ = ("_empty", "_small", "data", "decoder", "first")

    def __init__(self, first: int, is_checked: bool) -> None:
        self.first = first | _FIN
        self._empty = self._small = 0
        self.data = bytearray()
        self.decoder = _decoder() if is_checked else None

    def add(self, data: bytes, final: bool) -> None:
        """
        Add a part.

        @raise FrameError: it is not UTF-8.
        """
        self.data += data
        if self.decoder is not None:
            try:
                self.decoder.decode(data, final)
            except UnicodeDecodeError:
                raise FrameError(Close.BAD_TEXT, _NOT_TEXT) from None

    def count(self, size: int) -> bool:
        """
        Count a fragment that does not end the message.

        @return: whether L{FRAGMENTS_COUNTED} small ones have come again.
        @raise FrameError: there are too many empty ones.
        """
        if size >= SMALL_BYTES:
            return False
        if not size:
            self._empty += 1
            if self._empty > EMPTY_FRAGMENTS:
                why = f"a message has over {EMPTY_FRAGMENTS} empty fragments"
                raise FrameError(Close.RATE_LIMITED, why)
        self._small += 1
        return not self._small % FRAGMENTS_COUNTED


class _Frame:
    """
    A frame of a message, whose payload is not complete.

    @ivar left: bytes of the payload that are missing.
    """

    __slots__ = ("is_final", "left", "mask", "size")

    def __init__(self, first: int, size: int, mask: bytes) -> None:
        self.is_final = bool(first & _FIN)
        self.size = self.left = size
        self.mask = mask

    def take(self, data: bytes) -> bytes:
        """
        Take a part of the payload, and return it without its mask.
        """
        part = unmasked(data, self.mask)
        turned = len(data) % 4
        self.mask = self.mask[turned:] + self.mask[:turned]
        self.left -= len(data)
        return part


class FrameReader:
    """
    Reads the messages and control frames of one client.

    @ivar has_data: whether there are bytes that L{next} has not taken.
    """

    __slots__ = (
        "_ahead",
        "_at",
        "_checks_text",
        "_data",
        "_frame",
        "_message",
        "has_data",
    )

    def __init__(self, checks_text: bool) -> None:
        """
        @param checks_text: refuse text messages that are not UTF-8.
        """
        self.has_data = False
        self._checks_text = checks_text
        self._data = b""
        self._at = self._ahead = 0
        self._frame: _Frame | None = None
        self._message: _Message | None = None

    def __len__(self) -> int:
        return len(self._data) - self._at

    def feed(self, data: bytes) -> None:
        """
        Add bytes from the connection.
        """
        self._data = self._data + data if self._data else data
        self.has_data = True

    def is_pong(self, data: bytes) -> bool:
        """
        Return whether bytes from the connection are one whole frame that needs no more:
        the answer to an empty ping.
        """
        return (
            len(data) == 6
            and data.startswith(_EMPTY_PONG)
            and not self._data
            and self._frame is None
        )

    def next(self, limit: int) -> tuple[int, bytes] | None:
        """
        Return the next complete message or control frame.

        @param limit: the maximum length of a message in bytes.
        @return: the first byte, as in L{wsmsg.connect.websocket.frames}, and the
            payload; or L{FRAGMENTS} and nothing, for many small fragments; or L{None}:
            more bytes are needed.
        @raise FrameError: the client violated RFC 6455.
        """
        while self._at < len(self._data):
            if self._frame is None and self._message is None:
                usual = usual_frame(self._data, self._at, limit)
                if usual is not None:
                    first, payload, self._at = usual
                    if first == TEXT and self._checks_text and not is_utf8(payload):
                        raise FrameError(Close.BAD_TEXT, _NOT_TEXT)
                    if self._at == len(self._data):
                        self._drop_taken()
                    return first, payload
            if self._frame is None:
                control = self._begin(limit)
                if control is not None:
                    return control
            if self._frame is None:
                break
            done = self._continue(self._frame)
            if done is not None:
                return done
        self._drop_taken()
        return None

    def next_control(self) -> tuple[int, bytes] | None:
        """
        Return the next ping or pong, ahead of the messages before it, while these are
        not to be read.

        @return: the first byte and the payload; or L{None}: there is none, or a close
            or an error is before it.
        """
        data = self._data
        at = self._at + (self._frame.left if self._frame is not None else 0)
        at = max(at, self._ahead)
        while len(data) - at >= 6:
            first, size, head = data[at], data[at + 1] & 0x7F, 2
            if data[at + 1] < 0x80 or (first & _CONTROL and first not in (PING, PONG)):
                break
            if size in _HEADER_BYTES:
                head = _HEADER_BYTES[size]
                size = int.from_bytes(data[at + 2 : at + head], "big")
            end = at + head + 4 + size
            if end > len(data) or (first & _CONTROL and head != 2):
                break
            if first & _CONTROL:
                self._data, self._ahead = data[:at] + data[end:], at
                body = at + head + 4
                return first, unmasked(data[body:end], data[body - 4 : body])
            at = end
        self._ahead = at
        return None

    # ---------------------------------------------------------------- internals

    def _drop_taken(self) -> None:
        self._data, self._at, self._ahead = self._data[self._at :], 0, 0
        self.has_data = bool(self._data)

    def _begin(self, limit: int) -> tuple[int, bytes] | None:
        """
        Begin a frame of a message, or return a control frame that is complete.
        """
        data, at = self._data, self._at
        if len(data) - at < 2:
            return None
        first, size = data[at], data[at + 1] & 0x7F
        self._check_header(first, size, is_masked=data[at + 1] >= 0x80)
        body = at + _HEADER_BYTES.get(size, 2)
        if len(data) < body:
            return None
        if body > at + 2:
            size = _long_size(data[at + 2 : body])
        read = len(self._message.data) if self._message is not None else 0
        if not first & _CONTROL and read + size > limit:
            raise FrameError(Close.TOO_LARGE, f"a message is longer than {limit} bytes")
        mask, body = data[body : body + 4], body + 4
        if len(data) < body or (first & _CONTROL and len(data) < body + size):
            return None
        self._at = body
        if first & _CONTROL:
            self._at += size
            payload = unmasked(data[body : self._at], mask)
            if first == CLOSE:
                close_code(payload)
            return first, payload
        self._frame = _Frame(first, size, mask)
        if self._message is None:
            is_checked = self._checks_text and first & 0x0F == TEXT & 0x0F
            self._message = _Message(first, is_checked)
        return None

    def _check_header(self, first: int, size: int, is_masked: bool) -> None:
        """
        @param size: the length in the second byte of the frame.
        @raise FrameError: RFC 6455 section 5 forbids such a frame here.
        """
        opcode = first & 0x0F
        if first & 0x70:
            raise _violation("a reserved bit is set")
        if not is_masked:
            raise _violation("a client must mask its frames")
        if opcode & _CONTROL:
            if first not in (CLOSE, PING, PONG):
                is_known = first | _FIN in (CLOSE, PING, PONG)
                why = "is fragmented" if is_known else "has a reserved opcode"
                raise _violation(f"a control frame {why}")
            if size > 125:
                raise _violation("a control frame is longer than 125 bytes")
        elif opcode > BINARY & 0x0F:
            raise _violation("a frame has a reserved opcode")
        elif not opcode and self._message is None:
            raise _violation("a frame continues no message")
        elif opcode and self._message is not None:
            raise _violation("a message begins before the one before it ended")

    def _continue(self, frame: _Frame) -> tuple[int, bytes] | None:
        """
        Take what there is of the payload of a frame.
        """
        message, at = self._message, self._at
        assert message is not None
        data = self._data[at : at + frame.left]
        self._at += len(data)
        is_last = len(data) == frame.left
        message.add(frame.take(data), is_last and frame.is_final)
        if not is_last:
            return None
        self._frame = None
        if frame.is_final:
            self._message = None
            return message.first, bytes(message.data)
        return (FRAGMENTS, b"") if message.count(frame.size) else None


def usual_frame(data: bytes, at: int, limit: int) -> tuple[int, bytes, int] | None:
    """
    Parse a frame, if it is a usual one.

    @param at: the position in C{data} where the frame begins.
    @param limit: the maximum length of the payload in bytes.
    @return: the first byte, the payload, and the position of the next frame; or
        L{None}.
    """
    if len(data) - at < 6:
        return None
    first = data[at]
    if first != BINARY and first != TEXT and first != PONG:
        return None
    size = data[at + 1] - 0x80
    body = at + 6
    if size == _LONGER and first != PONG:
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        body = at + 8
        if size < _LONGER:
            return None
    elif not 0 <= size < _LONGER:
        return None
    end = body + size
    if end > len(data) or size > limit:
        return None
    return first, unmasked(data[body:end], data[body - 4 : body]), end


def unmasked(payload: bytes, mask: bytes) -> bytes:
    """
    Remove the mask from a payload, or mask it (RFC 6455 section 5.3).
    """
    size = len(payload)
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "little")
    return (int.from_bytes(payload, "little") ^ key).to_bytes(size, "little")


def is_utf8(data: bytes) -> bool:
    """
    Return whether the bytes are valid UTF-8, as a text message must be (RFC 6455
    section 8.1).
    """
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def close_code(payload: bytes) -> int | None:
    """
    Return the code in the payload of a close frame, if it has one.

    @raise FrameError: RFC 6455 section 5.5.1 or 7.4 forbids the payload.
    """
    if not payload:
        return None
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not _may_be_sent(code):
        raise _violation(f"a close frame has the code {code}")
    if not is_utf8(payload[2:]):
        raise FrameError(Close.BAD_TEXT, "the reason of a close is not UTF-8")
    return code


def _may_be_sent(code: int) -> bool:
    # IANA registered 1012 and 1013 later.  1004 to 1006 and 1015 are never sent; only
    # gateways send 1014.
    return 1000 <= code <= 1003 or 1007 <= code <= 1013 or 3000 <= code <= 4999


def _long_size(data: bytes) -> int:
    size = int.from_bytes(data, "big")
    if size < (126 if len(data) == 2 else 65536):
        raise _violation("a length takes more bytes than it needs")
    if size >> 63:
        raise _violation("a length has its first bit set")
    return size


def _violation(reason: str) -> FrameError:
    return FrameError(Close.BAD_PROTOCOL, reason)
