"""
Lists of conversations by their last change, without a store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from twisted.internet.defer import Deferred, succeed

from wsmsg.message.store.history import NameAndSecret
from wsmsg.message.store.interface import HeadList, HeadRow
from wsmsg.message.store.numbers import StoreNumbers
from wsmsg.message.store.position import NOW, StorePosition

#: The secret of stores in memory.
SECRET = "5e" * 16


class EpochInMemory:
    """
    The part of a store that names its history.
    """

    epoch = "e1"
    is_behind = ""
    passing = ""
    at = ""
    forgotten = 0
    reserved: dict[int, int]
    revoked: dict[int, int]
    revokes = 0

    def forget_shards(self) -> None:
        self.forgotten += 1

    def read_epoch(self) -> Deferred[str]:
        return succeed(self.epoch)

    def position_now(self) -> Deferred[str]:
        return succeed(self.at)

    def passes_head(self, conversation: str, user: int) -> Deferred[str]:
        return succeed(self.passing)

    def reserve_ids(self, node_number: int, until_ms: int) -> Deferred[int]:
        before = self.reserved.get(node_number, 0)
        self.reserved[node_number] = max(before, until_ms)
        return succeed(before)

    def revoke(self, user: int, before_ms: int) -> Deferred[int]:
        self.revoked[user] = max(self.revoked.get(user, 0), before_ms)
        self.revokes += 1
        return succeed(self.revoked[user])

    def revocations(self) -> Deferred[dict[int, int]]:
        return succeed(dict(self.revoked))

    def revocations_changed(self) -> Deferred[int]:
        return succeed(self.revokes)

    def forget_revocations(self, until_ms: int) -> Deferred[None]:
        self.revoked = {u: t for u, t in self.revoked.items() if t > until_ms}
        return succeed(None)

    def renew_epoch(self, known: str) -> Deferred[str]:
        if self.epoch == known:
            self.epoch = f"{known}+"
        return succeed(self.epoch)

    def witness(self) -> dict[int, str]:
        return {0: self.epoch}

    def behind(self, witness: Mapping[int, str]) -> Deferred[str]:
        return succeed(self.is_behind)

    def adopt_epoch(self, epoch: str, secret: str = "") -> Deferred[str]:
        self.epoch = epoch
        return succeed(self.epoch)


def listed(
    changes: Sequence[str],
    head: Callable[[str], int],
    epoch: str,
    position: str,
    limit: int,
    witness: str = "",
) -> HeadList:
    """
    Return a page of a list.

    @param changes: the conversation of each change, in order; empty: of no concern.
    """
    end = len(changes) + 1
    now = StoreNumbers(NameAndSecret(epoch, SECRET), {0: end})
    told = now.told(position, witness)
    if position == NOW:
        return HeadList([], now.now(), False, told.ahead, told.forged)
    last = {name: n for n, name in enumerate(changes, 1) if name}
    since = told.at.since.get(0, 0)
    changed = sorted((n, c) for c, n in last.items() if n >= since)
    rows = [HeadRow(name, head(name), 5) for _, name in changed[:limit]]
    more = len(changed) > limit
    since = changed[limit][0] if more else end
    sealed = now.sealed(StorePosition(epoch, {0: since}))
    return HeadList(rows, sealed, more, told.ahead, told.forged)
