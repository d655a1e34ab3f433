"""
Evidence that the store was replaced with an older copy of itself, and nobody said so.

A number is evidence if somebody has the message with it and the store does not.  A
Connect is believed, as a Message gave it the numbers that it pushed, and so is the
journal, which keeps with each commit how far the store was: the store begins a new
epoch, and all clients sync anew.  A client proves nothing, as a single one could make
all others read everything again: it is an alarm if several users say the same.
Docs: C{docs/decisions/0059-evidence-of-a-restore.md}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from wsmsg.errors import Unavailable
from wsmsg.message.queries.interface import PushedNumber
from wsmsg.message.store.interface import IMessages

#: Seconds for which Message remembers what clients claim, and how many users.
CLAIM_S = 600.0
CLAIMS = 1000
#: The least time between two observations that begin a new epoch in a shared store,
#: above the time after which MongoDB has another primary.
CONFIRM_S = 15.0
#: So many users make an alarm.
USERS = 3


class HistoryWatch:
    """
    Compares what others have with the store.

    @param shared: several Messages use the store, whose server may for moments answer
        with what it had before: a new epoch takes two observations.
    """

    _log = Logger()

    def __init__(
        self, store: IMessages, seconds: Callable[[], float], *, shared: bool
    ) -> None:
        self._store = store
        self._seconds = seconds
        self._confirm_s = CONFIRM_S if shared else 0.0
        self._first: tuple[str, float] = ("", 0.0)
        self._claims: dict[int, float] = {}
        self._example = ""
        self._witness: Mapping[int, str] = {}
        self._looking = False

    def witnessed(self, witness: Mapping[int, str]) -> None:
        """
        Take how far the store was when the journal was last committed
        (L{wsmsg.message.store.history.IHistory.witness}); it is compared in L{look}.
        """
        self._witness = {**self._witness, **witness}

    def look(self) -> None:
        """
        Compare the store with the witness of the journal, if that was not done.  Called
        once a second.
        """
        if self._witness and not self._looking and self._store.dependency.up:
            self._looking = True
            Deferred.fromCoroutine(self._look())

    async def _look(self) -> None:
        witness = self._witness
        try:
            epoch = await self._store.read_epoch()
            where = await self._store.behind(witness)
            if where:
                await self._believed(epoch, where)
            if (not where or self._store.epoch != epoch) and self._witness is witness:
                self._witness = {}
        except Unavailable as e:
            self._log.debug("the witness is not compared: {reason}", reason=e.reason)
        except Exception:  # noqa: BLE001 - a guard
            self._log.failure("the witness of the journal cannot be compared")
        finally:
            self._looking = False

    async def pushed(
        self, epoch: str, pushed: Sequence[PushedNumber], heads: Mapping[str, int]
    ) -> None:
        """
        Take what a Connect pushed.

        @param epoch: the epoch that the Connect knows.
        @param heads: the heads of these conversations in the store.
        """
        if not epoch or epoch != self._store.epoch:
            return
        for one in pushed:
            if one.seq > heads[one.conversation]:
                where = f"message {one.seq} of {one.conversation} was pushed, and the"
                where += f" store has {heads[one.conversation]}"
                await self._believed(epoch, where)
                return

    async def _believed(self, epoch: str, where: str) -> None:
        now_s = self._seconds()
        known, first_s = self._first
        if known != epoch or now_s - first_s > CLAIM_S:
            self._first = (epoch, now_s)
            first_s = now_s
        if now_s - first_s < self._confirm_s:
            return
        self._first = ("", 0.0)
        self._log.error(
            "{where}: the store is an older copy of itself, and begins a new epoch:"
            " all clients sync anew",
            where=where,
        )
        await self._store.renew_epoch(epoch)

    def claimed(self, user: int, conversation: str, after: int, head: int) -> None:
        """
        Note that a client asked for what follows a message that the store lacks.
        """
        self._claims.pop(user, None)
        self._claims[user] = self._seconds()
        if len(self._claims) > CLAIMS:
            del self._claims[next(iter(self._claims))]
        self._example = f"message {after} of {conversation}, where the last is {head}"
        self._log.debug("user {user} has {example}", user=user, example=self._example)

    def reason(self) -> str:
        """
        Return why the store may be an older copy, in a sentence; empty: nothing says
        so.
        """
        since_s = self._seconds() - CLAIM_S
        while self._claims:
            user, at_s = next(iter(self._claims.items()))
            if at_s > since_s:
                break
            del self._claims[user]
        if len(self._claims) < USERS:
            return ""
        return (
            f"{len(self._claims)} users say in {CLAIM_S / 60:.0f} min that they have"
            f" messages which the store lacks, such as {self._example}"
        )
