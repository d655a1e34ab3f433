"""
Fences that keep the order of a sender's messages when one of them is refused for now.

A client may have many sends in flight.  If Connect or Message refuses one of them for
now (overloaded, unavailable, over a rate) and accepts the next one, the messages change
places: the client repeats the first after the second.  A refusal therefore raises a
fence for the sends that follow it under the same key.  The fence remembers the client
ids that it refused, in their order, and lets each of them pass when it comes again and
none before it is missing; so a client that repeats its sends in their order keeps it,
however far away it is.  It ends when all of them have their final answers::

    from the client    1 2 3 4 5         2 3 6 4 5 6 ...
    2 is refused         x x x x               x
    passed             1                 2 3   4 5 6
    missing              2 to 5          4, 5, then 6

Sends that have no answer yet may be refused later than one behind them.  So they have
their places in the fence too: those made before the refused one from its beginning, and
those that pass it from then on.

A client that does not repeat the first of them within L{PATIENCE_S} of the time that it
was told has given it up, and the fence ends.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable
from itertools import islice
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

#: The time after a hint in which a client is expected to repeat its sends: the hint
#: takes seconds to reach a client that is far away, and so does the repeated send.
PATIENCE_S = 10.0
#: The most client ids that a fence remembers.  Those beyond are refused as well, and
#: may change places with each other and with later ones when they are repeated.
MOST_IDS = 1000
#: The most client ids that all fences together remember.  Beyond them the fence that
#: was not used for longest ends: what its client repeats may change places.
MOST_IDS_IN_ALL = 200_000
#: The least hint of a send behind a refused one, in milliseconds.
LEAST_HINT_MS = 500
#: The reason that the sender of a send behind a refused one is told.
BEHIND = "an earlier send of this conversation comes first"


class _Fence:
    """
    The sends under one key.

    @param unanswered: the client ids that have no answer yet, in their order.
    @ivar missing: by client id, in the order in which the sends were made, whether a
        send is to be repeated; if not, it has no answer yet, and may be refused.
    @ivar n_missing: how many are to be repeated.
    @ivar hint_ends_s: the time that the refused sends were told to wait for.
    @ivar ends_s: the time at which the fence ends by itself.
    @ivar over_rate: whether the last refusal was for the rate of the sender.
    """

    __slots__ = ("ends_s", "hint_ends_s", "missing", "n_missing", "over_rate")

    def __init__(self, unanswered: Iterable[str]) -> None:
        self.missing = dict.fromkeys(islice(unanswered, MOST_IDS), False)
        self.n_missing = 0
        self.hint_ends_s = self.ends_s = 0.0
        self.over_rate = False

    def wait_for(self, client_id: str) -> None:
        """
        Let the send and all behind it wait until it comes again.
        """
        if not self.missing.get(client_id, False) and (
            client_id in self.missing or len(self.missing) < MOST_IDS
        ):
            self.missing[client_id] = True
            self.n_missing += 1

    def extend(self, hint_ends_s: float, *, over_rate: bool) -> None:
        """
        Stand until C{PATIENCE_S} after this time.
        """
        self.over_rate = over_rate
        self.hint_ends_s = max(self.hint_ends_s, hint_ends_s)
        self.ends_s = self.hint_ends_s + PATIENCE_S

    def forget(self, client_id: str) -> int:
        """
        Remove a send, which has its final answer.

        @return: the number of ids that were removed.
        """
        known = len(self.missing)
        self.n_missing -= self.missing.pop(client_id, False)
        return known - len(self.missing)

    def passes(self, client_id: str, now_s: float, held: Collection[str]) -> bool:
        """
        Let a send pass, unless one before it is missing or held.
        """
        for known, is_missing in self.missing.items() if self.n_missing or held else ():
            if known == client_id:
                if is_missing:
                    self.missing[client_id] = False
                    self.n_missing -= 1
                    self.ends_s = max(self.ends_s, now_s + PATIENCE_S)
                return True
            if is_missing or known in held:
                return False
        if len(self.missing) < MOST_IDS:
            self.missing.setdefault(client_id, False)
        return True


class SendFences(Generic[Key]):
    """
    The fences, by key.  One that has ended costs nothing: the next call for its key, or
    the next fence, removes it.

    @param limit: the most client ids that all fences together remember.
    @ivar standing: the fences, the one used last at the end; empty while there is none,
        which is the usual case.
    """

    __slots__ = ("_ids", "_limit", "standing")

    def __init__(self, limit: int = MOST_IDS_IN_ALL) -> None:
        self.standing: dict[Key, _Fence] = {}
        self._limit = limit
        self._ids = 0

    def __len__(self) -> int:
        return len(self.standing)

    def refuse(
        self,
        key: Key,
        client_id: str,
        now_s: float,
        retry_after_ms: int,
        unanswered: Callable[[Key], Iterable[str]],
        *,
        over_rate: bool = False,
    ) -> None:
        """
        Raise a fence behind a send that is refused for now.  A send that is repeated
        and refused once more keeps its place.

        @param retry_after_ms: what the client is told.
        @param unanswered: returns the client ids under the key that have no answer yet,
            in the order in which they were sent; this one is among them, or is behind
            them.
        @param over_rate: whether it is refused for the rate of the sender.
        """
        fence = self._fence(key, now_s)
        known = 0 if fence is None else len(fence.missing)
        if fence is None:
            self._clear(now_s)
            fence = _Fence(unanswered(key))
        fence.wait_for(client_id)
        fence.extend(now_s + retry_after_ms / 1000, over_rate=over_rate)
        self._used(key, fence, known)

    def hint_ms(
        self, key: Key, client_id: str, now_s: float, held: Collection[str] = ()
    ) -> int:
        """
        Let a send pass, or refuse it.

        @param held: the client ids under the key that have passed and wait behind this
            one all the same: they have come again since this one passed.
        @return: after how many milliseconds the client may repeat it; 0: it passes.
        """
        fence = self._fence(key, now_s)
        if fence is None:
            return 0
        known = len(fence.missing)
        passes = fence.passes(client_id, now_s, held)
        if not passes:
            fence.wait_for(client_id)
            if held:  # It had passed: its client learns only now that it must wait.
                hint_ends_s = now_s + LEAST_HINT_MS / 1000
                fence.extend(hint_ends_s, over_rate=fence.over_rate)
        self._used(key, fence, known)
        if passes:
            return 0
        return max(int((fence.hint_ends_s - now_s) * 1000) + 1, LEAST_HINT_MS)

    def places(self, key: Key) -> dict[str, int]:
        """
        Return the places of the sends under a key in its fence; none: there is none.
        """
        fence = self.standing.get(key)
        missing = () if fence is None else fence.missing
        return {client_id: place for place, client_id in enumerate(missing)}

    def is_over_rate(self, key: Key) -> bool:
        """
        Return whether the fence stands because of the rate of the sender.
        """
        fence = self.standing.get(key)
        return fence is not None and fence.over_rate

    def forget(self, key: Key, client_id: str) -> None:
        """
        Remove a send, because it has its final answer.
        """
        fence = self.standing.get(key)
        if fence is not None:
            self._ids -= fence.forget(client_id)
            if not fence.missing:
                del self.standing[key]

    def _fence(self, key: Key, now_s: float) -> _Fence | None:
        fence = self.standing.get(key)
        if fence is not None and fence.ends_s <= now_s:
            self._end(key)
            return None
        return fence

    def _used(self, key: Key, fence: _Fence, known: int) -> None:
        """
        Move a fence to the end, and make room for the ids that it has more now.
        """
        self.standing.pop(key, None)
        self.standing[key] = fence
        self._ids += len(fence.missing) - known
        while self._ids > self._limit and len(self.standing) > 1:
            self._end(next(iter(self.standing)))

    def _clear(self, now_s: float) -> None:
        # Hints are of similar length: the fence unused for longest ends first, nearly.
        while self.standing:
            key = next(iter(self.standing))
            if self.standing[key].ends_s > now_s:
                return
            self._end(key)

    def _end(self, key: Key) -> None:
        self._ids -= len(self.standing.pop(key).missing)
