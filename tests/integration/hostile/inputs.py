"""
Inputs of hostile clients.
"""

from __future__ import annotations

import json
import random
from typing import Any

from tests.integration.hostile.sockets import JSON, PROTOBUF, Spelling, masked
from wsmsg.protocol import client_pb2 as pb

_INTS = (0, 1, -1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1)
_FIELDS: tuple[str, ...] = (
    *("client_id", "to", "group", "content", "kind", "conversation", "seq", "id"),
    *("after", "limit", "since", "users", "nonce", "token", "device"),
    *("name", "members", "history", "add", "remove"),
)
_TYPES: tuple[str, ...] = (
    *("send", "delivered", "read", "sync", "conversations", "typing", "watch"),
    *("recall", "ping", "hello", "welcome", "nope", ""),
    *("create_group", "change_group", "members", "group"),
)
_DEEP = 30_000


def _value(rng: random.Random) -> Any:
    return rng.choice(
        (
            *_INTS,
            *map(str, _INTS),
            *("u:1:2", "u:2:1", "g:1", "u:0:0", "", "x" * 65, "a\nb", "\0", "é" * 40),
            *(None, True, 1.5, 1e300, [], {}, [1, "2", None], {"a": {}}),
            *([5] * 600, list(range(-3, 3)), "9" * 400, "\u202e\ufeff"),
        )
    )


def json_payload(rng: random.Random) -> bytes:
    """
    Return a JSON text message with arbitrary content.
    """
    frame = {"type": rng.choice(_TYPES)}
    for field in rng.sample(_FIELDS, rng.randrange(6)):
        frame[field] = _value(rng)
    text = json.dumps(frame)
    match rng.randrange(12):
        case 0:
            text = text[: rng.randrange(len(text))]
        case 1:
            text = text.replace(":", ": NaN, ", 1)
        case 2:
            text = text[:-1] + ', "type": "ping", "to": 1, "to": 2}'
        case 3:
            text = text[:-1] + ', "x": ' + "9" * 10_000 + "}"
        case 4:
            text = text[:-1] + ', "content": "\\ud800"}'
    return text.encode()


def protobuf_payload(rng: random.Random) -> bytes:
    """
    Return a binary message with arbitrary content.
    """
    if rng.randrange(6) == 0:
        return rng.randbytes(rng.randrange(200))
    data = bytearray(_protobuf_frame(rng).SerializeToString())
    match rng.randrange(8):
        case 0 if data:
            del data[rng.randrange(len(data)) :]
        case 1 if data:
            for _ in range(rng.randrange(1, 4)):
                data[rng.randrange(len(data))] = rng.randrange(256)
        case 2:
            data += rng.randbytes(rng.randrange(9))
    return bytes(data)


def _protobuf_frame(rng: random.Random) -> pb.ClientFrame:
    def number() -> int:
        return rng.choice((0, 1, 5, -1, 2**63 - 1, -(2**63)))

    def small() -> int:
        return rng.choice((0, 1, -1, 2**31 - 1, -(2**31)))

    def text() -> str:
        return rng.choice(("u:1:2", "u:9:1", "g:1", "", "a\nb", "é" * 40, "x" * 70))

    def some() -> list[int]:
        return [number() for _ in range(rng.choice((0, 1, 5, 600)))]

    frames: tuple[dict[str, Any], ...] = (
        {"send": pb.Send(client_id=text(), to=number(), content=text(), kind=small())},
        {"send": pb.Send(client_id="a", group=number(), to=number())},
        {"delivered": pb.Delivered(conversation=text(), seq=number())},
        {"read": pb.Read(conversation=text(), seq=number())},
        {
            "sync": pb.Sync(
                id=text(), conversation=text(), after=number(), limit=small()
            )
        },
        {"conversations": pb.Conversations(id="c", position=text(), limit=small())},
        {"typing": pb.Typing(conversation=text(), user=number())},
        {"watch": pb.Watch(users=some())},
        {
            "create_group": pb.CreateGroup(
                client_id=text(), name=text(), members=some(), history=True
            )
        },
        {
            "change_group": pb.ChangeGroup(
                client_id=text(), group=number(), add=some(), remove=some()
            )
        },
        {
            "members": pb.Members(
                id=text(), group=number(), after=number(), limit=small()
            )
        },
        {"recall": pb.Recall(client_id=text(), conversation=text(), seq=number())},
        {"ping": pb.Ping(nonce=text())},
        {"hello": pb.Hello(token=text(), device=text(), position=text())},
    )
    return pb.ClientFrame(**rng.choice(frames))


def watch_flood() -> list[bytes]:
    """
    Return C{watch} frames of the largest allowed size, each with users not named
    before.
    """
    return [
        pb.ClientFrame(
            watch=pb.Watch(users=range(first, first + 500))
        ).SerializeToString()
        for first in range(10**6, 10**6 + 200 * 500, 500)
    ]


#: Hostile frames in full size.
LARGE: tuple[tuple[Spelling, bytes], ...] = (
    (JSON, b'{"type":"ping","x":' + b"[" * _DEEP + b"]" * _DEEP + b"}"),
    (JSON, b"[" * 60_000),
    (JSON, b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
    (JSON, json.dumps({f"f{i}": i for i in range(5_000)}).encode()),
    (JSON, json.dumps({"type": "watch", "users": list(range(1, 9_000))}).encode()),
    (JSON, json.dumps({"type": "send", "client_id": "x" * 60_000, "to": 1}).encode()),
    (JSON, json.dumps({"type": "x" * 60_000}).encode()),
    (
        PROTOBUF,
        pb.ClientFrame(watch=pb.Watch(users=range(1, 20_000))).SerializeToString(),
    ),
    (
        PROTOBUF,
        pb.ClientFrame(
            change_group=pb.ChangeGroup(client_id="c", group=1, add=[1] * 60_000)
        ).SerializeToString(),
    ),
    (PROTOBUF, b"\xa3\x06" * 30_000),
    (PROTOBUF, b"\xa0\x06\x01" * 20_000),
    (PROTOBUF, b"\x12\xff\xff\xff\xff\x07"),
    (PROTOBUF, b"\x0a\x02\x0a\xff" * 10_000),
)

#: Bytes that are not WebSocket, after a valid handshake, and the expected end.
FRAMES: dict[str, tuple[bytes, int]] = {
    "not masked": (b"\x82\x02hi", 1002),
    "reserved bit": (masked(b"x", first=0xC0), 1002),
    "reserved bits": (masked(b"x", first=0xF0), 1002),
    "reserved opcode": (masked(b"x", 3), 1002),
    "reserved control opcode": (masked(b"x", 11), 1002),
    "fragmented ping": (masked(b"x", 9, first=0), 1002),
    "long ping": (masked(b"x" * 126, 9), 1002),
    "continuation without a start": (masked(b"x", 0), 1002),
    "message within a message": (masked(b"x", first=0) + masked(b"y"), 1002),
    "giant length": (b"\x82\xff\x7f" + b"\xff" * 7 + b"\0\0\0\0", 1009),
    "negative length": (b"\x82\xff" + b"\xff" * 8 + b"\0\0\0\0", 1002),
    "length that is not shortest": (b"\x82\xfe\x00\x05\0\0\0\0hello", 1002),
    "oversized": (masked(b"x" * 70_000), 1009),
    "oversized in pieces": (
        masked(b"x" * 40_000, first=0) * 1 + masked(b"y" * 40_000, 0),
        1009,
    ),
    "close with one byte": (masked(b"\x03", 8), 1002),
    "close with a code that cannot be": (masked(b"\x03\xee", 8), 1002),
    "close with bad text": (masked(b"\x03\xe8\xff\xfe", 8), 1007),
    "ten thousand fragments": (
        masked(b"", first=0) + masked(b"", 0, first=0) * 10_000,
        4001,
    ),
    "flood of pings": (masked(b"", 9) * 10_000, 4001),
    "flood of pongs": (masked(b"", 10) * 10_000, 4001),
}

#: Bytes that are neither WebSocket nor valid HTTP; each gets a status below 500, or
#: none.
HEADS: tuple[bytes, ...] = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    b"\x00" * 5000,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET / HTTP/1.1\r\nX: " + b"x" * 10_240 + b"\r\n\r\n",
    b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    b"GET\r\n\r\n",
    b"G\xc3\xa4T / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
    b"GET / HTTP/1.1\r\n: x\r\n\r\n",
    b"GET / HTTP/1.1\nHost: x\n\n\r\n\r\n",
    b"BREW /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /" + b"../" * 50 + b"etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /%00%ff%zz?%=&&=;;a=%c3%28 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /api/v1/connect/ws HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /api/v1/connect/ws HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    b"GET /api/v1/connect/ws?a=[&b=%ff#//[ HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /api/v1/connect/ws HTTP/1.0\r\nUpgrade: websocket\r\n\r\n",
    b"GET /api/v1/connect/ws HTTP/1.1\r\nHost: \xff\xfe\r\nUpgrade: \xff\r\n\r\n",
    b"GET /api/v1/connect/ws HTTP/1.1\r\nHost: x:y:z\r\n" + b"A: b\r\n" * 900 + b"\r\n",
)

#: Bytes that never become a request.
SLOW: tuple[bytes, ...] = (
    b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 300,
    b"GET /api/v1/connect/ws HTTP/1.1\r\nUpgrade: websocket\r\n",
    b"G",
    b"",
)

#: Bytes that are not HTTP/2.
NOT_GRPC: tuple[bytes, ...] = (
    b"\x16\x03\x01" * 100,
    b"GET / HTTP/1.1\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 2_000,
    bytes(70_000),
)

_STATUS = b"POST /api/v1/connect/online_status HTTP/1.1\r\nHost: localhost\r\n"
_JSON = _STATUS + b"Content-Type: application/json\r\n"
BODIES: tuple[bytes, ...] = (
    b"",
    b"{",
    b"null",
    b"\xff\xfe",
    b'{"user_ids": 5}',
    b'{"user_ids": [NaN]}',
    b'{"user_ids": [' + b"9" * 5_000 + b"]}",
    b'{"user_ids": ["' + b"0" * 30 + b'7"]}',
    b'{"user_ids": [9223372036854775808]}',
    b'{"user_ids": [-1]}',
    b'{"user_ids": [1.5]}',
    b'{"user_ids": ["\\ud800"]}',
    b'{"user_ids": [' + b"1," * 2_000 + b"1]}",
    b'{"user_ids":' * 5_000,
    b"[" * 50_000,
)
_CHUNKED = _JSON + b"Transfer-Encoding: chunked\r\n"
_CHUNK = b"f000\r\n" + b"x" * 0xF000 + b"\r\n"
_MULTIPART = _STATUS + b"Content-Type: multipart/form-data"
_FORM = _STATUS + b"Content-Type: application/x-www-form-urlencoded\r\n"
HTTP: tuple[bytes, ...] = (
    *(_JSON + b"Content-Length: %d\r\n\r\n" % len(b) + b for b in BODIES),
    _STATUS + b"Content-Length: -5\r\n\r\n",
    _STATUS + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}   ",
    _STATUS + b"Content-Length: 99999999999999999999\r\n\r\n",
    _STATUS + b"Content-Length: x\r\n\r\n",
    _STATUS + b"Transfer-Encoding: gzip\r\n\r\n",
    _CHUNKED + b"\r\nzz\r\n",
    _CHUNKED + b"\r\nffffffffffffffff\r\n",
    _CHUNKED + b"\r\n" + _CHUNK + _CHUNK,
    _CHUNKED + b"Content-Length: 5\r\n\r\n0\r\n\r\n",
    _MULTIPART + b"; boundary=x\r\nContent-Length: 9\r\n\r\n--x\r\n\xff\xff\r\n",
    _MULTIPART + b"\r\nContent-Length: 2\r\n\r\n{}",
    _FORM + b"Content-Length: 3\r\n\r\n%ff",
    b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n" * 300,
)
