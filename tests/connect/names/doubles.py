"""
A node whose users have names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from tests.connect.session.doubles import Client, FakeNode, unframed
from wsmsg.connect.names.codec import NamedCodec
from wsmsg.connect.names.edge import NamedEdge
from wsmsg.connect.names.interface import IUserNames
from wsmsg.connect.names.user_names import UserNames
from wsmsg.connect.upstream.interface import IEdge
from wsmsg.errors import Unavailable
from wsmsg.names import candidates
from wsmsg.protocol import json, protobuf
from wsmsg.protocol.frames import Hello, ServerFrame


def number(name: str) -> int:
    """
    Return the number that a store gives a name.
    """
    return next(candidates(name))


ANNA, BERTA, CARL = map(number, ("anna", "berta", "carl"))


class FakeStore:
    """
    The names at Message, which answers when the test tells it to.

    @ivar asked: the queries: names, users, whether to claim, and the answer.
    @ivar at_once: whether each query is answered at once.
    """

    def __init__(self, *names: str) -> None:
        self.names = {name: number(name) for name in names}
        self.asked: list[tuple[list[str], list[int], bool]] = []
        self.waiting: list[Deferred[dict[str, int]]] = []
        self.at_once = True

    def query(
        self, names: Sequence[str], users: Sequence[int], claim: bool
    ) -> Deferred[dict[str, int]]:
        self.asked.append((list(names), list(users), claim))
        self.waiting.append(Deferred())
        asked = self.waiting[-1]
        if self.at_once:
            self.answer()
        return asked

    def answer(self) -> None:
        """
        Answer the oldest query.
        """
        place = len(self.asked) - len(self.waiting)
        names, users, claim = self.asked[place]
        if claim:
            self.names.update({name: number(name) for name in names})
        found = {n: u for n, u in self.names.items() if n in names or u in users}
        self.waiting.pop(0).callback(found)

    def fail(self) -> None:
        """
        Let the oldest query fail.
        """
        self.waiting.pop(0).errback(Unavailable("Message is away", 700))


class NamedNode(FakeNode):
    """
    A node with C{users.names}.
    """

    def __init__(self, *names: str, **limits: Any) -> None:
        super().__init__(**limits)
        self.store = FakeStore(*names)
        self.names = UserNames(self.store.query, self.clock)
        verifyObject(IUserNames, self.names)
        self.context = attrs.evolve(self.context, names=self.names)
        self.edge = NamedEdge(self.registry, self.names)
        verifyObject(IEdge, self.edge)
        self.codec = NamedCodec(json.CODEC, self.names)
        self.protobuf = NamedCodec(protobuf.CODEC, self.names)

    def turn(self) -> None:
        """
        Let the reactor turn.
        """
        self.clock.advance(0)

    def enter(self, name: str, device: str = "phone") -> Client:
        """
        Connect a client and log it in; its welcome has been read.
        """
        client = self.client(codec=self.codec)
        client.say(Hello(f"token-{name}", device))
        self.turn()
        client.heard()
        assert client.session.welcomed
        return client


def heard(client: Client) -> list[tuple[ServerFrame, dict[int, str]]]:
    """
    Return the frames received since the last call, each with its names.
    """
    written, client.peer.written = client.peer.written, []
    codec = protobuf.CODEC if client.codec.binary else json.CODEC
    return [codec.decode_named(unframed(data)) for data in written]
