"""
The choice of the clients that are asked to move, and the times.

::

    serving --drain--> lead time --> draining --no session left--> drained
       ^  ^                 |            |                            |
       |  '-----undo--------+------------+----------------------------'
       '--rebalance: some sessions are asked, and everybody is served

A drain ends the readiness first, so that balancers send no new clients, and serves
those that come all the same during the lead time.  Then handshakes are refused, and the
clients are asked to move at a pace: C{drain.per_s}.  While no other Connect takes
clients, as all of them are busy, nobody is asked; a stop cannot wait for that.  Connect
goes on running, so that an operator may stop it, or undo the drain.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wsmsg.connect.session.moves.alternatives import Alternatives, OtherConnect, surplus
from wsmsg.connect.session.registry import RegisteredSession, Registry
from wsmsg.errors import Unavailable, WsmsgError
from wsmsg.monitoring.health import Health
from wsmsg.settings.values import ConnectSettings
from wsmsg.text.counted import counted

#: Seconds between two looks at the other Connects while clients move.
_LOOK_S = 2.0
#: The same, while none of them takes clients.
_BUSY_LOOK_S = 0.5
_RETRY_MS = 1000
#: Clients are asked to move after so many seconds without an answer of Message.
_ANSWER_S = 1.0
#: A client that is asked to move reconnects within so many seconds.
_AFTER_S = 0.1
#: The cause for which a Connect that is drained is not ready, and the reason.
HOLD, DRAINED = "drain", "an operator drains this Connect"

#: Reads the load of the other Connects from a Message.
ReadOthers = Callable[[], Awaitable[list[OtherConnect]]]


class Phase(StrEnum):
    """
    A phase of a drain.
    """

    SERVING = "serving"
    LEAD = "lead time"
    DRAINING = "draining"
    DRAINED = "drained"


class Door(Protocol):
    """
    The handshakes of this Connect.
    """

    def close(self, reason: str) -> None:
        """
        Refuse all handshakes from now on; with an empty reason, none.
        """


class Moves:
    """
    The clients that are asked to move.

    @param door: refuses handshakes.
    @param own: returns the load of this Connect.
    @param read_others: reads that of the others.
    @ivar asked: clients that were asked to move so far.
    """

    _log = Logger()

    def __init__(
        self,
        registry: Registry,
        door: Door,
        health: Health,
        clock: IReactorTime,
        *,
        own: Callable[[], OtherConnect],
        read_others: ReadOthers,
        sample: Callable[[Sequence[RegisteredSession], int], list[RegisteredSession]]
        | None = None,
    ) -> None:
        self._registry = registry
        self._door = door
        self._health = health
        self._clock = clock
        self._own = own
        self._read_others = read_others
        self._sample = sample or random.sample
        self._phase = Phase.SERVING
        self._per_s = 0.0
        self._lead_until_s = 0.0
        self._looked_s = self._swept_s = clock.seconds()
        self._stopping = False
        self._alternatives = Alternatives(lambda: self._settings.alternatives)

    @property
    def _settings(self) -> ConnectSettings:
        return self._registry.settings

    @property
    def phase(self) -> Phase:
        """
        The present phase.
        """
        if self._phase is Phase.DRAINING and not self._registry.count:
            return Phase.DRAINED
        return self._phase

    def drain(self, per_s: float | None, lead_s: float | None) -> None:
        """
        Ask all clients to move; take no new ones after the lead time.

        @param per_s: clients asked in a second; L{None}: as the settings say, as for
            C{lead_s}.
        """
        drain = self._settings.drain
        self._per_s = drain.per_s if per_s is None else per_s
        lead_s = drain.lead_s if lead_s is None else lead_s
        self._health.hold(HOLD, DRAINED)
        if self._phase is Phase.SERVING:
            self._log.info(
                "drain: not ready any more; newcomers are served for {seconds} s, then"
                " {n} move, {per_s:g} in a second",
                seconds=lead_s,
                n=counted(self._registry.count, "client"),
                per_s=self._per_s,
            )
            self._phase = Phase.LEAD
            self._lead_until_s = self._clock.seconds() + lead_s
        else:
            self._begin()
        self.sweep()

    def undo(self) -> None:
        """
        Serve everybody again.  Clients that were asked to move by then are gone.
        """
        if self._phase is Phase.SERVING:
            return
        self._log.info("drain: undone, clients are served again")
        self._phase = Phase.SERVING
        self._door.close("")
        self._registry.refuse("")
        self._registry.timers.stop_moving()
        self._health.hold(HOLD, "")

    def stop(self, within_s: float) -> Deferred[None]:
        """
        Ask all clients to move, as this Connect stops.

        @return: a Deferred that fires when no connection is left.
        """
        self._stopping = True
        count = self._registry.count
        per_s = max(self._settings.drain.per_s, count / max(within_s, 0.001))
        if per_s > self._settings.drain.per_s:
            self._log.warn(
                "{n} are asked to move within {seconds:g} s, {per_s:.0f} in a second:"
                " stop_s leaves no time for drain.per_s; `wsmsg drain` before a stop"
                " keeps the pace",
                n=counted(count, "client"),
                seconds=within_s,
                per_s=per_s,
            )
        return self._ask_all("stopping", per_s)

    async def rebalance(self, per_s: float | None) -> int:
        """
        Ask as many clients to move as this Connect has above its share.

        @return: their number.
        @raise Unavailable: Message does not know the other Connects, or this one is
            being drained.
        """
        if self._phase is not Phase.SERVING:
            raise Unavailable("this Connect is being drained", _RETRY_MS)
        others = await self._read_others()
        self._alternatives.update(others)
        n = surplus(self._own(), others)
        sessions = [s for s in self._registry.sessions() if s.device]
        moving = self._sample(sessions, min(n, len(sessions)))
        self._per_s = self._settings.drain.per_s if per_s is None else per_s
        if moving:
            self._log.info(
                "rebalance: {n} move, {per_s:g} in a second",
                n=counted(len(moving), "client"),
                per_s=self._per_s,
            )
            self._ask(moving, "rebalancing", self._per_s)
        return len(moving)

    def sweep(self) -> None:
        """
        Do what is due; called several times a second.
        """
        now_s = self._clock.seconds()
        if self._phase is Phase.LEAD and now_s >= self._lead_until_s:
            self._phase = Phase.DRAINING
            self._begin()
        timers, busy = self._registry.timers, self._alternatives.busy
        if timers.moving and busy and not self._stopping:
            timers.hold_moving(now_s - self._swept_s)
        self._swept_s = now_s
        look_s = _BUSY_LOOK_S if busy else _LOOK_S
        if timers.moving and now_s - self._looked_s >= look_s:
            self._look()

    def status(self) -> dict[str, object]:
        """
        Return the part C{moves} of C{/status}.
        """
        return {
            "phase": self.phase.value,
            "others_busy": self._alternatives.busy,
            "connections": self._registry.count,
            "to_ask": self._registry.timers.moving,
            "asked": self._registry.counters.moved,
            "per_s": self._per_s or self._settings.drain.per_s,
        }

    def _begin(self) -> None:
        if self._phase is Phase.DRAINING:
            self._door.close("this Connect is being drained")
            emptied = self._ask_all("draining", self._per_s)
            emptied.addCallback(self._emptied)

    def _emptied(self, _: object) -> None:
        if self._phase is Phase.DRAINING:
            self._log.info("drain: no client is left")

    def _ask_all(self, reason: str, per_s: float) -> Deferred[None]:
        self._registry.refuse(reason)
        looked = self._look()
        looked.addTimeout(_ANSWER_S, self._clock, lambda *_: None)
        looked.addCallback(lambda _: self._ask_rest(reason, per_s))
        return self._registry.when_empty()

    def _ask_rest(self, reason: str, per_s: float) -> None:
        if self._registry.draining:
            self._registry.timers.stop_moving()
            self._ask(self._registry.sessions(), reason, per_s)

    def _ask(
        self, sessions: Sequence[RegisteredSession], reason: str, per_s: float
    ) -> None:
        self._registry.timers.move(
            sessions,
            reason,
            len(sessions) / per_s,
            after_s=_AFTER_S,
            alternatives=self._alternatives.next,
        )

    def _look(self) -> Deferred[None]:
        """
        Ask Message for the other Connects; until it answers, those that were known
        before count.
        """
        self._looked_s = self._clock.seconds()
        return Deferred.fromCoroutine(self._update())

    async def _update(self) -> None:
        try:
            others = await self._read_others()
            self._alternatives.update(others, needed=bool(self._own().url))
        except (WsmsgError, CancelledError) as e:
            self._log.info("the other Connects are not known: {e}", e=e)
        except Exception:  # noqa: BLE001 - a guard
            self._log.failure("reading the other Connects")
