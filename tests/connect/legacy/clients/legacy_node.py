"""
A node with legacy clients.
"""

from __future__ import annotations

from typing import Any

from tests.connect.session.doubles import FakeNode, FakePeer, unframed
from wsmsg import model
from wsmsg.auth.identity import Identity
from wsmsg.connect.edge.heartbeat import HeartbeatSweep
from wsmsg.connect.legacy.clients.clients import LegacyClients
from wsmsg.connect.upstream.interface import SendAnswer
from wsmsg.legacy.codec import ACKNOWLEDGEMENT, PRESENCE
from wsmsg.legacy.extra import TEXT
from wsmsg.protocol import frames
from wsmsg.protocol.frames import Hello
from wsmsg.rpc.rest_pb2 import WSMessage
from wsmsg.settings.legacy import ConnectLegacySettings

UNAVAILABLE = SendAnswer(code="unavailable", reason="not now", retry_after_ms=1000)
ACCEPTED = SendAnswer(time_ms=5)


def ws(**fields: Any) -> bytes:
    """
    Return an encoded C{WSMessage}; C{sender} is its C{from}.
    """
    sender = fields.pop("sender", 0)
    said = WSMessage(**fields)
    setattr(said, "from", sender)
    return said.SerializeToString()


class LegacyClient:
    """
    The client's end of a session.
    """

    def __init__(self, node: LegacyNode, user: int, expires_s: float = 0.0) -> None:
        self.peer = FakePeer()
        self.session = node.legacy.open(self.peer, Identity(user, expires_s))

    def say(self, to: int, *contents: str) -> None:
        """
        Send texts to a user.
        """
        for content in contents:
            self.raw(ws(to=to, content=content, message_type=TEXT))

    def acknowledge(self, message_id: int) -> None:
        """
        Acknowledge a message.
        """
        self.raw(ws(message_id=message_id, message_type=ACKNOWLEDGEMENT))

    def raw(self, data: bytes, binary: bool = True) -> None:
        """
        Send a payload.
        """
        self.session.received(data, binary)

    def heard(self) -> list[Any]:
        """
        Return the C{WSMessage}s received since the last call.
        """
        written, self.peer.written = self.peer.written, []
        return [WSMessage.FromString(unframed(data)) for data in written]

    def texts(self) -> list[str]:
        """
        Return the contents of the texts among them.
        """
        return [m.content for m in self.heard() if m.message_type == TEXT]

    def presence(self) -> list[tuple[int, str]]:
        """
        Return the users among them who joined and left.
        """
        return [
            (getattr(m, "from"), m.content)
            for m in self.heard()
            if m.message_type == PRESENCE
        ]

    def drop(self) -> None:
        """
        Lose the connection.
        """
        self.session.lost("the client is gone")


class LegacyNode(FakeNode):
    """
    A node that serves legacy clients.
    """

    def __init__(self, *, legacy: dict[str, Any] | None = None, **limits: Any) -> None:
        super().__init__(**limits)
        self.registry.apply_settings(
            self.settings.model_copy(
                update={"legacy": ConnectLegacySettings(**(legacy or {}))}
            )
        )
        self.heartbeat = HeartbeatSweep(self.settings.heartbeat_s, self.clock)
        self.legacy = LegacyClients(self.context, self.heartbeat)

    def connect(self, user: int, expires_s: float = 0.0) -> LegacyClient:
        """
        Connect a client, and tell it that nobody is online.
        """
        return LegacyClient(self, user, expires_s)

    def pass_time(self, seconds: float) -> None:
        super().pass_time(seconds)
        self.legacy.sweep()

    def push(self, *messages: model.Message, to: int) -> None:
        """
        Push messages to a user.
        """
        for one in messages:
            self.registry.push(one, [to])

    @property
    def sent(self) -> list[str]:
        """
        The contents of the sends that Message has not answered.
        """
        return [new.content for new, _ in self.upstream.sends]

    def answer(self, *answers: SendAnswer) -> None:
        """
        Answer the oldest sends.
        """
        for answer in answers:
            _, on_answer = self.upstream.sends.pop(0)
            on_answer(answer)


def text(
    seq: int, sender: int = 7, to: int = 8, *, kind: int = TEXT, **more: Any
) -> model.Message:
    """
    Return a stored message of two users, whose content is its seq.
    """
    return model.Message(
        conversation=more.get("conversation", model.conversation_of(sender, to)),
        sender=sender,
        client_id=f"c{seq}",
        message_id=more.get("message_id", 100 + seq),
        content=more.get("content", str(seq)),
        kind=kind,
        time_ms=more.get("time_ms", 5000),
        seq=seq,
        extra=more.get("extra", ""),
    )


def own_client(node: FakeNode, user: int) -> Any:
    """
    Return a welcomed client of the current protocol.
    """
    client = node.client()
    client.say(Hello(f"token-{user}", "phone"))
    (welcome,) = client.heard()
    assert isinstance(welcome, frames.Welcome)
    return client
