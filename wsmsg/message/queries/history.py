"""
Evidence that the store was replaced with an older copy of itself, and nobody said so.

A number is evidence if somebody has the message with it and the store does not.  These
are believed, as a Message gave the number, and the store begins a new epoch, so that
all clients sync anew:

  * a Connect, which names what it pushed;
  * the journal, which keeps with each commit how far the store was;
  * a position that the store has sealed, whoever shows it;
  * a cursor above the head, in the store itself.

Other words of a client prove nothing, as a single one could make all others read
everything again: it is an alarm if several users say the same.
Docs: C{docs/decisions/0069-authentic-positions.md}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from wsmsg.errors import Unavailable
from wsmsg.message.queries.interface import PushedNumber
from wsmsg.message.store.interface import HeadList, IMessages
from wsmsg.model import Cursor

#: Seconds for which Message remembers what clients claim, and how many users.
CLAIM_S = 600.0
CLAIMS = 1000
#: The least time between two observations that begin a new epoch in a shared store,
#: above the time after which MongoDB has another primary.
CONFIRM_S = 15.0
#: So many users make an alarm.
USERS = 3

_BY_JOURNAL = "as the store was when the journal was committed"
_BY_POSITION = "as the position of a client proves"
_BY_CURSOR = "as a cursor in the store proves"


class HistoryWatch:
    """
    Compares what others have with the store.

    @param shared: several Messages use the store, whose server may for moments answer
        with what it had before: a new epoch takes two observations.
    @ivar forged: the number of positions that the store did not make, or that were
        altered.
    """

    _log = Logger()

    def __init__(
        self, store: IMessages, seconds: Callable[[], float], *, shared: bool
    ) -> None:
        self.forged = 0
        self._store = store
        self._seconds = seconds
        self._confirm_s = CONFIRM_S if shared else 0.0
        self._first: tuple[str, float] = ("", 0.0)
        self._claims: dict[int, float] = {}
        self._example = ""
        self._witnesses: dict[str, Mapping[int, str]] = {}
        self._cursor: tuple[str, int] | None = None
        self._looking = False

    def witnessed(self, witness: Mapping[int, str], by: str = _BY_JOURNAL) -> None:
        """
        Take how far the store was once
        (L{wsmsg.message.store.history.IHistory.witness}); it is compared in L{look}.

        @param by: a clause that says whose words these are.
        """
        self._witnesses[by] = {**self._witnesses.get(by, {}), **witness}

    async def told(self, found: HeadList) -> bool:
        """
        Take what the position of a client proves, if it proves something.

        @return: whether a new epoch has begun meanwhile.
        """
        self.forged += found.forged
        if not found.ahead:
            return False
        epoch = self._store.epoch
        self.witnessed(found.ahead, _BY_POSITION)
        if not self._confirm_s and not self._looking:
            await self._look()
        return self._store.epoch != epoch

    def saw(self, cursor: Cursor, head: int) -> None:
        """
        Take a cursor that was read with a head, which may be a lower one than that of
        the conversation; a cursor above it is looked at again in L{look}.
        """
        if max(cursor.delivered, cursor.read) > head and self._cursor is None:
            self._cursor = (cursor.conversation, cursor.user)

    def look(self) -> None:
        """
        Compare the store with what was said that it once was, if that was not done.
        Called once a second.
        """
        if self._looking or not self._store.dependency.up:
            return
        if self._witnesses or self._cursor is not None:
            Deferred.fromCoroutine(self._look())

    async def _look(self) -> None:
        self._looking = True
        try:
            if await self._compare():
                self._first = ("", 0.0)
        except Unavailable as e:
            self._log.debug("the witness is not compared: {reason}", reason=e.reason)
        except Exception:  # noqa: BLE001 - a guard
            self._log.failure("the store cannot be compared with what it once was")
        finally:
            self._looking = False

    async def _compare(self) -> bool:
        """
        @return: whether nothing says that the store is behind.
        """
        whole = True
        for by, witness in list(self._witnesses.items()):
            epoch = await self._store.read_epoch()
            where = await self._store.behind(witness)
            if where:
                whole = False
                await self._believed(epoch, f"{by}, {where}")
            unchanged = self._witnesses.get(by) is witness
            if (not where or self._store.epoch != epoch) and unchanged:
                del self._witnesses[by]
        if self._cursor is not None:
            epoch = await self._store.read_epoch()
            where = await self._store.passes_head(*self._cursor)
            if where:
                whole = False
                await self._believed(epoch, f"{_BY_CURSOR}, {where}")
            if not where or self._store.epoch != epoch:
                self._cursor = None
        return whole

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
