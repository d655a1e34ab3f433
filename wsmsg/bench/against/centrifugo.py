"""
Centrifugo's JSON protocol, with a channel for each user in which the other one of the
pair publishes::

    -> {"id":1,"connect":{"token":JWT}}             <- {"id":1,"connect":{...}}
    -> {"id":2,"subscribe":{"channel":OWN}}         <- {"id":2,"subscribe":{...}}
    -> {"id":N,"publish":{"channel":OTHER,"data":CONTENT}}
    <- {"id":N,"publish":{}}                        (to the sender)
    <- {"push":{"channel":OWN,"pub":{"data":CONTENT,"offset":...}}}
    <- {}, -> {}                                    ping, pong

A message of the WebSocket may have several, one in a line.  Ids of publications begin
at 3.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

import jwt
import msgspec

from wsmsg.bench.against.interface import (
    Arrived,
    Confirmed,
    Event,
    LoadUser,
    Ready,
    Stuck,
    ToSend,
    Unsent,
)

_CONNECT, _SUBSCRIBE, _FIRST = 1, 2, 3
_LIFETIME_S = 86400


class _Error(msgspec.Struct):
    code: int = 0
    message: str = ""


class _Connected(msgspec.Struct):
    client: str = ""
    version: str = ""


class _Publication(msgspec.Struct):
    data: object = None
    offset: int = 0


class _Push(msgspec.Struct):
    channel: str = ""
    pub: _Publication | None = None


class _Said(msgspec.Struct, forbid_unknown_fields=True):
    """
    One line of the server.
    """

    id: int = 0
    error: _Error | None = None
    connect: _Connected | None = None
    subscribe: object = None
    publish: object = None
    push: _Push | None = None


_said = msgspec.json.Decoder(_Said).decode
_make = msgspec.json.encode

_HINTS = {
    103: "allow clients to subscribe and to publish (channel.without_namespace."
    "allow_subscribe_for_client, allow_publish_for_client)",
}


class CentrifugoWire:
    """
    A user of Centrifugo.

    @param login: its key is the HMAC key of Centrifugo's tokens; empty: none.
    """

    def __init__(self, login: LoadUser):
        self._name = login.name
        self._key = login.key
        self._content = login.content
        self._channel = f"wsmsg-bench-{login.name}"
        self._version = ""
        self._middle = b""

    def begin(self) -> Sequence[bytes]:
        connect: dict[str, object] = {"name": "wsmsg-bench"}
        if self._key:
            claims = {"sub": self._name, "exp": int(time.time()) + _LIFETIME_S}
            connect["token"] = jwt.encode(claims, self._key, algorithm="HS256")
        return [_make({"id": _CONNECT, "connect": connect})]

    def take(self, message: bytes) -> Iterable[Event]:
        if b"\n" not in message:
            return self._line(message)
        return self._lines(message)

    def _lines(self, message: bytes) -> Iterator[Event]:
        for line in message.splitlines():
            if line:
                yield from self._line(line)

    def _line(self, line: bytes) -> Iterable[Event]:
        said = _said(line)
        if said.push is not None:
            return self._pushed(said.push)
        if said.error is not None:
            return [self._refused(said.id, said.error)]
        if said.id >= _FIRST:
            return [Confirmed(said.id - _FIRST)]
        if said.id == _SUBSCRIBE:
            return [Ready(self._name, self._version)]
        if said.connect is not None:
            self._version = said.connect.version
            subscribe = {"channel": self._channel}
            return [ToSend(_make({"id": _SUBSCRIBE, "subscribe": subscribe}))]
        return [ToSend(b"{}")]

    def _pushed(self, push: _Push) -> Iterable[Event]:
        if push.pub is None or push.channel != self._channel:
            return []
        number = self._content.number(push.pub.data)
        return [Arrived(number, push.pub.offset)] if number >= 0 else []

    def _refused(self, number: int, error: _Error) -> Event:
        if number >= _FIRST:
            return Unsent(number - _FIRST, f"{error.code} {error.message}")
        hint = _HINTS.get(error.code, "")
        text = f"refused with {error.code}: {error.message}"
        return Stuck(f"{text}; {hint}" if hint else text)

    def meet(self, other: str) -> Sequence[bytes]:
        channel = _make(f"wsmsg-bench-{other}")
        self._middle = b',"publish":{"channel":%s,"data":"' % channel
        return []

    def send(self, number: int) -> bytes:
        content = self._content.make(number)
        return b'{"id":%d%s%s"}}' % (number + _FIRST, self._middle, content)

    def progress(self) -> None:
        return None
