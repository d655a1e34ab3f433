"""
The deployed Connects on streams of this Message: what all of them are pushed, what is
counted of them.

::

    DeployedStream --> DeployedPeer --> DeployedSends --> IIngress
                            |       --> DeployedAcks ---> Marks
                            `-- DeployedOutbox <-- DeployedPeers.push <-- Links

Such a Connect does not say who is connected to it: each subscribed stream is pushed
everything.  What it calls itself is only for people.  Two streams of one name are two
peers, and neither learns of the other: a deployed Connect never dials again, so that a
stream which somebody else's subscribe ended would be ended for good.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wsmsg.dependency.retry import Backoff
from wsmsg.message.ingress.interface import IIngress
from wsmsg.message.legacy.peer import COUNTS, HangUp, LegacyConnect
from wsmsg.message.links.interface import GroupRecipients, Push, Settled
from wsmsg.message.links.link import Countdown
from wsmsg.message.links.recipients import pushes_of
from wsmsg.message.queries.interface import Marking
from wsmsg.model import Message
from wsmsg.settings.legacy import MessageLegacySettings


class LegacyConnects:
    """
    All of them.

    @ivar settings: may be replaced; it counts from then on.
    @ivar cut: streams that were ended, as nobody read them.
    @ivar on_subscribed: called with C{True} when the first stream has subscribed, and
        with C{False} when the last subscribed stream is gone.
    """

    _log = Logger()

    def __init__(
        self,
        ingress: IIngress,
        marking: Marking,
        clock: IReactorTime,
        settings: MessageLegacySettings,
        *,
        incarnation: str,
        backoff: Backoff,
    ) -> None:
        self.backoff = backoff
        self.ingress = ingress
        self.marking = marking
        self.clock = clock
        self.settings = settings
        self.incarnation = incarnation
        self.cut = 0
        self.on_subscribed: list[Callable[[bool], object]] = []
        self._numbers = 0
        self._peers: list[LegacyConnect] = []
        self._subscribed: list[LegacyConnect] = []
        self._left: list[LegacyConnect] = []
        self._past: dict[str, int] = {}

    @property
    def streams(self) -> int:
        return len(self._peers)

    @property
    def subscribers(self) -> int:
        return len(self._subscribed)

    # -- streams come and go

    def opened(self, wake: Callable[[], object], hang_up: HangUp) -> LegacyConnect:
        """
        A stream of a deployed Connect begins.
        """
        self._numbers += 1
        peer = LegacyConnect(self, self._numbers, wake=wake, hang_up=hang_up)
        self._peers.append(peer)
        return peer

    def subscribed(self, peer: LegacyConnect) -> None:
        """
        It wants to be pushed; once is enough.
        """
        if peer not in self._subscribed and not peer.outbox.broken:
            self._subscribed.append(peer)
            if len(self._subscribed) == 1:
                self._tell_subscribed(True)

    def leaving(self, peer: LegacyConnect) -> None:
        """
        It is given nothing new.
        """
        if peer in self._subscribed:
            self._subscribed.remove(peer)
            if not self._subscribed:
                self._tell_subscribed(False)

    def _tell_subscribed(self, subscribed: bool) -> None:
        for listener in self.on_subscribed:
            listener(subscribed)

    def lost(self, peer: LegacyConnect, reason: str) -> None:
        """
        The stream is gone.  What it sent and is not accepted yet still will be.
        """
        self.leaving(peer)
        self._peers.remove(peer)
        waiting = peer.outbox.held
        peer.outbox.break_off("the stream is gone")
        self._log.info(
            "stream of deployed {node} gone: {reason}; {events} events were not given",
            node=peer.name or "(not subscribed)",
            reason=reason,
            events=waiting,
        )
        self._left.append(peer)
        self._sweep()

    def hang_up_all(self, reason: str) -> None:
        """
        End every stream; what still waits to be accepted has failed, and is told so.
        """
        for peer in [*self._peers, *self._left]:
            if peer.sends.held:
                self._log.warn(
                    "{sends} sends of deployed {node} were not accepted: {reason}",
                    sends=peer.sends.held,
                    node=peer.name,
                    reason=reason,
                )
            peer.sends.give_up(reason)
        for peer in list(self._peers):
            peer.hang_up(reason, overrun=False)

    def tick(self) -> None:
        """
        To be called once a second: nothing that waits for too long holds up the
        journal, and who is gone for good is forgotten.
        """
        now_s = self.clock.seconds()
        for peer in self._subscribed:
            peer.outbox.settle_late(now_s)
        self._sweep()

    def _sweep(self) -> None:
        for peer in list(self._left):
            if not len(peer.sends) and not len(peer.acks):
                self._left.remove(peer)
                self._add(self._past, peer)
        # Streams that come and go may leave no more behind than one may hold.
        while len(self._left) > 1 and (
            sum(len(p.sends) for p in self._left) > self.settings.sends
        ):
            peer = self._left.pop(0)
            peer.sends.give_up("too many messages wait")
            self._add(self._past, peer)

    # -- what goes to them

    def push(
        self,
        messages: Sequence[Message],
        in_groups: GroupRecipients | None,
        settled: Settled,
    ) -> None:
        """
        Push messages to every stream that is subscribed.

        @param settled: called once, when all of it is written or given up.
        """
        if not self._subscribed:
            settled()
            return
        self.push_to(pushes_of(messages, in_groups), settled)

    def push_to(self, pushes: Sequence[Push], settled: Settled) -> None:
        """
        Push messages to these users, on every stream that is subscribed.
        """
        now_s = self.clock.seconds()
        peers = list(self._subscribed)
        countdown = Countdown(len(peers) + 1, settled)
        for peer in peers:
            peer.outbox.push(pushes, now_s, countdown)
        countdown()

    # -- what is told of them

    def status(self) -> list[dict[str, object]]:
        """
        What C{/status} tells of the streams.
        """
        return [
            {
                "node": peer.name,
                "held": peer.outbox.held,
                "held_bytes": peer.outbox.held_bytes,
                **peer.counts(),
            }
            for peer in self._peers
        ]

    def counts(self) -> dict[str, int]:
        """
        What all streams did, those that are gone among them.
        """
        total = {name: self._past.get(name, 0) for name in COUNTS}
        for peer in (*self._peers, *self._left):
            self._add(total, peer)
        return total

    def held(self) -> int:
        """
        The events that wait on all streams.
        """
        return sum(peer.outbox.held for peer in self._peers)

    def sends_held(self) -> int:
        """
        The sends that wait to be given again.
        """
        return sum(peer.sends.held for peer in _all(self._peers, self._left))

    @staticmethod
    def _add(total: dict[str, int], peer: LegacyConnect) -> None:
        for name, n in peer.counts().items():
            total[name] = total.get(name, 0) + n


def _all(*groups: Iterable[LegacyConnect]) -> Iterable[LegacyConnect]:
    for group in groups:
        yield from group
