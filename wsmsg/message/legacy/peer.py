"""
One stream of a legacy Connect: the meaning of its events.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wsmsg.dependency.retry import Backoff
from wsmsg.message.ingress.interface import IIngress
from wsmsg.message.legacy.acks import LegacyConnectAcks
from wsmsg.message.legacy.outbox import LegacyConnectOutbox, Response
from wsmsg.message.legacy.sends import LegacyConnectSends
from wsmsg.message.queries.interface import Marking
from wsmsg.rpc import rest_pb2
from wsmsg.settings.legacy import MessageLegacySettings
from wsmsg.stream.contract import NAME_CHARACTERS, SIGNAL_TYPES
from wsmsg.text.counted import plural

#: The counts of each stream: name and description.
COUNTS = {
    "pushed": "Push events written",
    "missed": "Push events dropped",
    "early": "Pushes settled before they were written",
    "accepted": "Sends accepted",
    "failed": "Sends rejected for good",
    "kept": "Sends rejected temporarily and kept",
    "confirmed": "Acknowledgements confirmed",
    "unknown": "Acknowledgements of unknown messages",
    "push_failures": "Pushes that the peer could not deliver",
    "ignored": "Events ignored",
}


class HangUp(Protocol):
    """
    Ends a stream.

    @param overrun: whether the peer does not read; else this Message is stopping.
    """

    def __call__(self, reason: str, *, overrun: bool) -> object: ...


class InvalidPeer(Exception):
    """
    The peer violates the protocol; the text tells how.
    """


class LegacyConnectOwner(Protocol):
    """
    The parts that all streams share.

    """

    ingress: IIngress
    marking: Marking
    clock: IReactorTime
    settings: MessageLegacySettings
    incarnation: str
    backoff: Backoff

    def peer_cut(self) -> None:
        """
        Count a stream that ended because the peer did not read.
        """

    def subscribed(self, peer: LegacyConnect) -> None:
        """
        Push messages to this peer from now on.
        """


class LegacyConnect:
    """
    One stream of a legacy Connect.

    @ivar name: the name that the peer gives itself; empty until it subscribes.
    @ivar ignored: the number of events that Message ignored.
    @ivar push_failures: the number of pushes that the peer could not deliver.
    """

    _log = Logger()

    def __init__(
        self,
        owner: LegacyConnectOwner,
        number: int,
        *,
        wake: Callable[[], object],
        hang_up: HangUp,
    ) -> None:
        self.name = ""
        self.ignored = self.push_failures = 0
        self.hang_up = hang_up
        self._owner = owner

        def bounds() -> MessageLegacySettings:
            return owner.settings

        self.outbox = LegacyConnectOutbox(bounds, wake=wake, broke=self._broke)
        self.sends = LegacyConnectSends(
            owner.ingress,
            owner.clock,
            bounds,
            name=f"d:{owner.incarnation}:{number}",
            failed=self._failed,
            backoff=owner.backoff,
        )
        self.acks = LegacyConnectAcks(
            owner.marking,
            owner.clock,
            bounds,
            confirm=self._confirm,
            backoff=owner.backoff,
        )

    def received(self, request: rest_pb2.MessageStreamRequest) -> None:
        """
        Handle an event from the peer.

        @raise InvalidPeer: the stream must end.
        """
        match request.WhichOneof("request_type"):
            case "send_message":
                self._send(request.send_message.msg)
            case "ack":
                self.acks.ack(request.ack)
            case "push_result":
                self._push_result(request.push_result)
            case "subscribe":
                self._subscribe(request.subscribe)
            case "batch":
                raise InvalidPeer("a batch on a stream without a link_version")
            case _:
                self.ignored += 1  # an event of a later version

    def counts(self) -> dict[str, int]:
        """
        Return the counts of the stream, by the names in L{COUNTS}.
        """
        return {
            "pushed": self.outbox.written,
            "missed": self.outbox.missed,
            "early": self.outbox.early,
            "accepted": self.sends.accepted,
            "failed": self.sends.failed,
            "kept": self.sends.kept,
            "confirmed": self.acks.confirmed,
            "unknown": self.acks.unknown,
            "push_failures": self.push_failures,
            "ignored": self.ignored,
        }

    def _subscribe(self, hello: rest_pb2.SubscribeRequest) -> None:
        name = hello.connect_service_id
        if hello.link_version:
            raise InvalidPeer("a subscribe with a link_version that is not the first")
        if not 0 < len(name) <= NAME_CHARACTERS or not name.isprintable():
            raise InvalidPeer(
                "subscribe has no connect_service_id, or one that is over"
                f" {NAME_CHARACTERS} characters or not printable"
            )
        if self.name and self.name != name:
            self._log.warn(
                "legacy Connect {node} calls itself {name} now",
                node=self.name,
                name=name,
            )
        elif not self.name:
            self._log.info("legacy Connect {node} subscribed", node=name)
        self.name = name
        self._owner.subscribed(self)

    def _send(self, message: rest_pb2.WSMessage) -> None:
        if message.message_type in SIGNAL_TYPES:
            self.ignored += 1
        else:
            self.sends.send(message)

    def _push_result(self, result: rest_pb2.PushResultRequest) -> None:
        # A result does not tell which push it is for.
        if not result.success:
            self.push_failures += 1

    def _failed(self, message: rest_pb2.WSMessage, reason: str) -> None:
        if self.outbox.broken:
            self._log.warn(
                "a send of {sender} failed after legacy Connect {node} was gone:"
                " {reason}",
                sender=getattr(message, "from"),
                node=self.name or "(not subscribed)",
                reason=reason,
            )
            return
        response = Response()
        failure = response.failure
        failure.original_sender = getattr(message, "from")
        failure.failure_reason = reason
        failure.original_message.CopyFrom(message)
        self.outbox.answer(response)

    def _confirm(self, ack: rest_pb2.MessageAckRequest, known: bool) -> None:
        response = Response()
        response.ack_confirm.ack_id = ack.ack_id
        response.ack_confirm.message_id = ack.message_id
        response.ack_confirm.confirmed = known
        self.outbox.answer(response)

    def _broke(self, reason: str) -> None:
        self._owner.peer_cut()
        self._log.warn(
            "stream of legacy Connect {node} ended, as it does not read: {reason};"
            " {pushes} {noun} dropped, to stay unread",
            node=self.name or "(not subscribed)",
            reason=reason,
            pushes=self.outbox.missed,
            noun=plural(self.outbox.missed, "push was", "pushes were"),
        )
        self.hang_up(reason, overrun=True)
