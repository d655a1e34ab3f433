"""
Tinode's JSON protocol, with an account for each user and a topic for each pair::

    -> {"hi":{"id":"hi","ver":"0.22",...}}         <- {"ctrl":{"id":"hi",...}}
    -> {"acc":{"id":"acc","user":"new...",...}}    <- {"ctrl":{"id":"acc",
                                                       "params":{"user":"usrA"}}}
    -> {"sub":{"id":"sub","topic":"usrB"}}         <- {"ctrl":{"id":"sub",...}}
    -> {"pub":{"id":NUMBER,"topic":"usrB","noecho":true,"content":CONTENT}}
    <- {"ctrl":{"id":NUMBER,"code":202,...}}       (to the sender)
    <- {"data":{"topic":"usrA","seq":...,"content":CONTENT}}
    -> {"note":{"topic":"usrA","what":"recv","seq":...}}

The accounts stay in Tinode's database: use one for tests.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable, Sequence

import msgspec

from wsmsg.bench.against.interface import (
    Arrived,
    Confirmed,
    Event,
    LoadUser,
    Met,
    Ready,
    Stuck,
    ToSend,
    Unsent,
)

_PROTOCOL = "0.22"
_ACCESS = "JRWPA"


class _Params(msgspec.Struct):
    user: str = ""
    ver: str = ""
    build: str = ""


class _Ctrl(msgspec.Struct):
    code: int
    id: str = ""
    text: str = ""
    params: _Params = msgspec.field(default_factory=_Params)


class _Data(msgspec.Struct):
    topic: str = ""
    seq: int = 0
    content: object = None


class _Said(msgspec.Struct, forbid_unknown_fields=True):
    """
    One message of the server.
    """

    ctrl: _Ctrl | None = None
    data: _Data | None = None
    meta: object = None
    pres: object = None
    info: object = None


_said = msgspec.json.Decoder(_Said).decode
_make = msgspec.json.encode


class TinodeWire:
    """
    A user of Tinode.
    """

    def __init__(self, login: LoadUser):
        self._name = login.name
        self._content = login.content
        self._version = ""
        self._topic = ""
        self._middle = b""
        self._seq = self._told = 0

    def begin(self) -> Sequence[bytes]:
        hi = {"id": "hi", "ver": _PROTOCOL, "ua": "wsmsg-bench/1"}
        return [_make({"hi": hi})]

    def take(self, message: bytes) -> Iterable[Event]:
        said = _said(message)
        if said.data is not None:
            return self._arrived(said.data)
        if said.ctrl is None:
            return []
        ctrl = said.ctrl
        if ctrl.id in ("hi", "acc", "sub"):
            return [self._answered(ctrl)]
        if not ctrl.id:
            return []
        if ctrl.code < 300:
            return [Confirmed(int(ctrl.id, 16))]
        return [Unsent(int(ctrl.id, 16), f"{ctrl.code} {ctrl.text}")]

    def _arrived(self, data: _Data) -> Iterable[Event]:
        number = self._content.number(data.content)
        if number < 0 or data.topic != self._topic:
            return []
        self._seq = max(self._seq, data.seq)
        return [Arrived(number, data.seq)]

    def _answered(self, ctrl: _Ctrl) -> Event:
        if ctrl.code >= 300:
            return Stuck(_refusal(ctrl))
        if ctrl.id == "sub":
            return Met()
        params = ctrl.params
        if ctrl.id == "acc":
            return Ready(params.user, self._version)
        self._version = f"{params.ver} {params.build}".strip()
        return ToSend(_make({"acc": self._new_user()}))

    def _new_user(self) -> dict[str, object]:
        secret = f"{self._name}:{secrets.token_hex(8)}"
        return {
            "id": "acc",
            "user": f"new{self._name}",
            "scheme": "basic",
            "secret": base64.b64encode(secret.encode()).decode(),
            "login": True,
            "desc": {"defacs": {"auth": _ACCESS, "anon": "N"}},
        }

    def meet(self, other: str) -> Sequence[bytes]:
        self._topic = other
        self._middle = b'","topic":%s,"noecho":true,"content":"' % _make(other)
        return [_make({"sub": {"id": "sub", "topic": other}})]

    def send(self, number: int) -> bytes:
        content = self._content.make(number)
        return b'{"pub":{"id":"%x%s%s"}}' % (number, self._middle, content)

    def progress(self) -> bytes | None:
        if self._seq == self._told:
            return None
        self._told = self._seq
        note = {"topic": self._topic, "what": "recv", "seq": self._seq}
        return _make({"note": note})


def _refusal(ctrl: _Ctrl) -> str:
    text = f"{ctrl.id} was refused with {ctrl.code}: {ctrl.text}"
    if ctrl.id == "acc" and ctrl.code == 300:
        return f"{text}; switch off validators of accounts (acc_validation)"
    return text
