"""
The systems that C{wsmsg bench --against} knows, and how their users are made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import SplitResult, urlsplit

import attrs

from wsmsg.bench.against.centrifugo import CentrifugoWire
from wsmsg.bench.against.interface import LoadUser, User, Wire
from wsmsg.bench.against.matrix import MatrixUser
from wsmsg.bench.against.plain import PlainWire
from wsmsg.bench.against.socketio import SocketIOWire
from wsmsg.bench.against.tinode import TinodeWire
from wsmsg.bench.against.user import WireUser
from wsmsg.bench.load.framing import Mask

#: The floor, whose server the benchmark itself starts.
FLOOR = "websockets"

_REFUSED = "cannot be understood: the server refused the connection"
_REMEDIES = {
    "cannot be understood": "the URL may be that of another system",
    "connection lost": "the URL may be that of another system",
}
_TOKENS = (
    "give the key of its tokens with --against-key, or allow connections without a "
    "token (client.allow_anonymous_connect_without_token)"
)

#: Calls back with the reason when a server closes a connection.
OnLost = Callable[[str], object]


@attrs.frozen
class System:
    """
    One system.

    @ivar usual: the URL of a server with the usual port and path.
    @ivar schemes: of its URLs.
    @ivar remedies: by the beginning of a reason why a user cannot enter.
    """

    name: str
    usual: str
    schemes: tuple[str, str]
    make: Callable[[LoadUser, SplitResult, Mask, OnLost], User]
    remedies: Mapping[str, str] = attrs.field(factory=dict)

    def explained(self, reason: str) -> str:
        """
        Return a reason why a user cannot enter, with a remedy if there is one.
        """
        for begin, remedy in {**self.remedies, **_REMEDIES}.items():
            if reason.startswith(begin):
                return f"{reason}; {remedy}"
        return reason

    def address(self, url: str) -> str:
        """
        Return the URL with the usual path if it has none; empty: the usual URL.

        @raise ValueError: it is no URL of this system.
        """
        parts, usual = urlsplit(url or self.usual), urlsplit(self.usual)
        if parts.scheme not in self.schemes or not parts.hostname:
            raise ValueError(f"{url!r} is not like {self.usual}")
        _ = parts.port  # raises ValueError for one that is no number
        if parts.path in ("", "/") and not parts.query:
            parts = parts._replace(path=usual.path, query=usual.query)
        return parts.geturl()


def _over_websocket(
    make: Callable[[LoadUser], Wire],
) -> Callable[[LoadUser, SplitResult, Mask, OnLost], User]:
    def user(login: LoadUser, url: SplitResult, mask: Mask, on_lost: OnLost) -> User:
        return WireUser(make(login), url, mask, on_lost)

    return user


def _matrix(login: LoadUser, url: SplitResult, mask: Mask, on_lost: OnLost) -> User:
    return MatrixUser(login, url, on_lost)


_WS, _HTTP = ("ws", "wss"), ("http", "https")

#: The API key of Tinode's sample configuration, which is no secret.
_SAMPLE_KEY = "AQEAAAABAAD_rAp4DJh05a1HAwFT3A6K"

SYSTEMS: Mapping[str, System] = {
    system.name: system
    for system in (
        System(FLOOR, "ws://127.0.0.1:8765/", _WS, _over_websocket(PlainWire)),
        System(
            "socketio",
            "ws://127.0.0.1:3000/socket.io/?EIO=4&transport=websocket",
            _WS,
            _over_websocket(SocketIOWire),
        ),
        System(
            "centrifugo",
            "ws://127.0.0.1:8000/connection/websocket",
            _WS,
            _over_websocket(CentrifugoWire),
            {"closed with 3500": _TOKENS, "closed with 3501": _TOKENS},
        ),
        System(
            "tinode",
            f"ws://127.0.0.1:6060/v0/channels?apikey={_SAMPLE_KEY}",
            _WS,
            _over_websocket(TinodeWire),
            {
                f"{_REFUSED}: HTTP/1.1 403": "name Tinode's API key: --against "
                "'tinode=ws://HOST/v0/channels?apikey=KEY'"
            },
        ),
        System("matrix", "http://127.0.0.1:8008/", _HTTP, _matrix),
    )
}
