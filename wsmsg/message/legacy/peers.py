"""
All legacy Connects with a stream to this Message.

A legacy Connect does not tell which users it has, so Message pushes everything to each
subscribed stream.  The name of a legacy Connect is only for people: two streams with
one name are two peers, and neither ends the other.  A legacy Connect never dials again,
so a stream that another subscribe ended would be lost for good.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wsmsg.dependency.retry import Backoff
from wsmsg.flow.countdown import Countdown
from wsmsg.message.ingress.interface import IIngress
from wsmsg.message.legacy.peer import COUNTS, HangUp, LegacyConnect
from wsmsg.message.links.interface import GroupRecipients, Push, Settled
from wsmsg.message.links.recipients import pushes_of
from wsmsg.message.queries.interface import Marking
from wsmsg.model import Message
from wsmsg.settings.legacy import MessageLegacySettings
from wsmsg.text.counted import plural


class LegacyConnects:
    """
    The streams of all legacy Connects.

    @ivar settings: the current settings.
    @ivar cut: the number of streams ended because the peer did not read.
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
        self._ended: list[LegacyConnect] = []
        self._past: dict[str, int] = {}

    def apply_settings(self, settings: MessageLegacySettings) -> None:
        """
        Apply the limits to all streams, open ones included.
        """
        self.settings = settings

    @property
    def streams(self) -> int:
        return len(self._peers)

    @property
    def subscribers(self) -> int:
        return len(self._subscribed)

    # -- streams come and go

    def opened(self, wake: Callable[[], object], hang_up: HangUp) -> LegacyConnect:
        """
        Begin a stream.
        """
        self._numbers += 1
        peer = LegacyConnect(self, self._numbers, wake=wake, hang_up=hang_up)
        self._peers.append(peer)
        return peer

    def peer_cut(self) -> None:
        self.cut += 1

    def subscribed(self, peer: LegacyConnect) -> None:
        """
        Push messages to a peer from now on.
        """
        if peer not in self._subscribed and not peer.outbox.broken:
            self._subscribed.append(peer)
            if len(self._subscribed) == 1:
                self._notify_subscribed(True)

    def leaving(self, peer: LegacyConnect) -> None:
        """
        Push no further messages to a peer.
        """
        if peer in self._subscribed:
            self._subscribed.remove(peer)
            if not self._subscribed:
                self._notify_subscribed(False)

    def _notify_subscribed(self, subscribed: bool) -> None:
        for listener in self.on_subscribed:
            listener(subscribed)

    def lost(self, peer: LegacyConnect, reason: str) -> None:
        """
        Forget a stream that has ended.  Its sends and acknowledgements in progress
        continue.
        """
        self.leaving(peer)
        self._peers.remove(peer)
        waiting = peer.outbox.held
        peer.outbox.break_off("the stream is gone")
        self._log.info(
            "stream of legacy Connect {node} gone: {reason}; {events} {noun} dropped",
            node=peer.name or "(not subscribed)",
            reason=reason,
            events=waiting,
            noun=plural(waiting, "event"),
        )
        self._ended.append(peer)
        self._sweep()

    def hang_up_all(self, reason: str) -> None:
        """
        End all streams.  Sends that wait to be retried fail, and the peers learn it.
        """
        for peer in [*self._peers, *self._ended]:
            if peer.sends.held:
                self._log.warn(
                    "{sends} {noun} of legacy Connect {node} {were} not accepted:"
                    " {reason}",
                    sends=peer.sends.held,
                    noun=plural(peer.sends.held, "send"),
                    were=plural(peer.sends.held, "was", "were"),
                    node=peer.name,
                    reason=reason,
                )
            peer.sends.give_up(reason)
        for peer in list(self._peers):
            peer.hang_up(reason, overrun=False)

    def tick(self) -> None:
        """
        Settle pushes that have waited for too long, and forget the streams that ended.
        Called once a second.
        """
        now_s = self.clock.seconds()
        for peer in self._subscribed:
            peer.outbox.settle_late(now_s)
        self._sweep()

    def _sweep(self) -> None:
        for peer in list(self._ended):
            if not len(peer.sends) and not len(peer.acks):
                self._ended.remove(peer)
                self._add_counts(self._past, peer)
        # The streams that ended may together hold no more sends than one stream may.
        while len(self._ended) > 1 and (
            sum(len(p.sends) for p in self._ended) > self.settings.sends
        ):
            peer = self._ended.pop(0)
            peer.sends.give_up("too many messages wait")
            self._add_counts(self._past, peer)

    # -- pushes

    def push(
        self,
        messages: Sequence[Message],
        in_groups: GroupRecipients | None,
        settled: Settled,
    ) -> None:
        """
        Push messages to every stream that is subscribed.

        @param settled: called once, when all of them are written or dropped.
        """
        if not self._subscribed:
            settled()
            return
        self.push_to(pushes_of(messages, in_groups), settled)

    def push_to(self, pushes: Sequence[Push], settled: Settled) -> None:
        """
        Push messages to their recipients, on every stream that is subscribed.
        """
        now_s = self.clock.seconds()
        peers = list(self._subscribed)
        countdown = Countdown(len(peers) + 1, settled)
        for peer in peers:
            peer.outbox.push(pushes, now_s, countdown)
        countdown()

    # -- status and metrics

    def status(self) -> list[dict[str, object]]:
        """
        Return the part C{legacy} of C{/status}.
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
        Return the counts of all streams so far, by the names in
        L{wsmsg.message.legacy.peer.COUNTS}.
        """
        total = {name: self._past.get(name, 0) for name in COUNTS}
        for peer in (*self._peers, *self._ended):
            self._add_counts(total, peer)
        return total

    def held(self) -> int:
        """
        Return the number of events that wait on all streams.
        """
        return sum(peer.outbox.held for peer in self._peers)

    def sends_held(self) -> int:
        """
        Return the number of sends that wait to be retried.
        """
        return sum(peer.sends.held for peer in _all(self._peers, self._ended))

    @staticmethod
    def _add_counts(total: dict[str, int], peer: LegacyConnect) -> None:
        for name, n in peer.counts().items():
            total[name] = total.get(name, 0) + n


def _all(*groups: Iterable[LegacyConnect]) -> Iterable[LegacyConnect]:
    for group in groups:
        yield from group
