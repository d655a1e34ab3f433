"""
Load on one group with all members connected: one sends, all receive.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from wsmsg.bench.load import encoding
from wsmsg.bench.load.accounts import SendAccount
from wsmsg.bench.load.connecting import LoadFailed
from wsmsg.bench.load.framing import Mask
from wsmsg.bench.load.pairs import Clock, Loop
from wsmsg.bench.load.peers import ChatPeer
from wsmsg.events.group_change import GROUP_CHANGE_USERS
from wsmsg.model import ack_pace_ms, group_conversation, group_of

_MADE_S = 30.0

#: The time between two calls of L{GroupLoad.report_progress}, in milliseconds.
_TURN_MS = 100

#: Number of frames that are remembered, to recognise them.
_SEEN = 64


class GroupAccount(SendAccount):
    """
    The messages of one sender to all members.  One has arrived when all members have
    it, and what is lost are deliveries.
    """

    __slots__ = ("_left", "_members", "_missing", "_seqs")

    def __init__(self, members: int) -> None:
        super().__init__()
        self._members = members
        self._left: dict[int, int] = {}
        self._seqs = [0] * members
        self._missing: set[tuple[int, int]] = set()

    def send(self, at_s: float) -> int:
        number = super().send(at_s)
        self._left[number] = self._members
        return number

    def _rejected(self, number: int) -> None:
        if self._left.pop(number, 0):
            del self._due[number]
            self.arrived += 1

    def deliver(self, member: int, number: int, seq: int) -> tuple[float, bool] | None:
        """
        Record a delivery to a member.

        @return: the time when it was due, and whether all members have it now; L{None}
            if it does not count.
        """
        if not self._next(member, seq):
            return None
        left = self._left.get(number, 0) - 1
        if left < 0:
            return None
        if left:
            self._left[number] = left
            return self._due[number], False
        del self._left[number]
        self.arrived += 1
        return self._due.pop(number), True

    def _next(self, member: int, seq: int) -> bool:
        """
        Return whether this is the member's next message.
        """
        last = self._seqs[member]
        if seq > last:
            if last and seq > last + 1:
                self._missing.update((member, lost) for lost in range(last + 1, seq))
            self._seqs[member] = seq
            return True
        if (member, seq) in self._missing:
            self._missing.discard((member, seq))
            self.unordered += 1
            return True
        self.doubled += 1
        return False

    @property
    def settled(self) -> bool:
        return not self._unanswered and not self._left

    @property
    def lost(self) -> int:
        left = (left for n, left in self._left.items() if n not in self._unanswered)
        return sum(left)

    @property
    def holes(self) -> int:
        return len(self._missing)


class MemberPeer(ChatPeer):
    """
    The session of a member.

    @ivar asked: the request of the member, until it is answered.
    @ivar seq: the last number that the member had; 0: it has no group yet.
    """

    group_load: GroupLoad | None = None
    index = 0
    seq = reported = 0
    asked: asyncio.Future[None] | None = None

    def join(self, group_load: GroupLoad, index: int) -> None:
        """
        Report to the load of this group, as the member of this index.
        """
        self.group_load, self.index = group_load, index

    def ask(self, frame: bytes) -> asyncio.Future[None]:
        """
        Send a request.

        @return: done when it is answered.
        """
        self.asked = asyncio.get_running_loop().create_future()
        self.transport.write(frame)
        return self.asked

    def all_answered(self) -> None:
        """
        Expect answers to sends from now on, and to no more requests.
        """
        self.asked = None

    def has_message(self, seq: int) -> None:
        """
        Note that the member was given the message of this number.
        """
        self.seq = max(self.seq, seq, 1)

    def report_progress(self, conversation: str, mask: Mask) -> None:
        """
        Report the last number to the server, if that has changed.
        """
        if self.seq > self.reported and not self.transport.is_closing():
            self.reported = self.seq
            self.transport.write(mask.frame(encoding.delivered(conversation, self.seq)))

    def received(self, data: bytes, start: int, end: int) -> None:
        kind, group_load = data[start], self.group_load
        if kind == encoding.DELIVER and group_load is not None:
            group_load.delivered(self, data, start, end)
        elif kind == encoding.ACCEPTED and group_load is not None:
            if self.asked is None:
                group_load.account.accept(encoding.accepted_number(data, start))
            elif not self.asked.done():
                self.asked.set_result(None)
        elif kind == encoding.REJECTED and group_load is not None:
            self._rejected(group_load, data[start:end])
        elif kind != encoding.RECEIPT:
            super().received(data, start, end)

    def _rejected(self, group_load: GroupLoad, data: bytes) -> None:
        if self.asked is None:
            group_load.rejected(*encoding.rejected(data))
        elif not self.asked.done():
            code, reason = encoding.refusal(data)
            self.asked.set_exception(LoadFailed(f"no group: {code}: {reason}"))

    def received_all(self) -> None:
        if self.group_load is not None:
            self.group_load.refill()


class GroupLoad(Loop):
    """
    The group, whose first member sends.

    @param members: connected; the user of the first, and the others after it.
    """

    account: GroupAccount

    def __init__(
        self,
        members: Sequence[MemberPeer],
        clock: Clock,
        *,
        mask: Mask,
        run: str,
        first_user: int,
        size: int,
        window: int,
    ) -> None:
        self._request = f"{run}-group"
        group = group_of(first_user, self._request)
        template = encoding.SendTemplate(mask, run, 0, size, group=group)
        account = GroupAccount(len(members))
        super().__init__(window, clock, account)
        self._frame = template.frame
        self.account = account
        self.all_joined = asyncio.get_running_loop().create_future()
        self._members = members
        self._users = range(first_user, first_user + len(members))
        self._group = group
        self._conversation = group_conversation(group)
        self._scan = encoding.DeliverScanner(run, self._conversation, size).scan
        self._seen: dict[bytes, tuple[int, int]] = {}
        self._mask = mask
        self._transport = members[0].transport
        self._joined = self._turn = 0
        # As a Connect asks them to.
        self._turns = max(1, ack_pace_ms(len(members)) // _TURN_MS)
        for index, member in enumerate(members):
            member.join(self, index)

    def _write(self, numbers: list[int]) -> None:
        self._transport.write(b"".join(map(self._frame, numbers)))

    async def make(self) -> None:
        """
        Create the group, and wait until all members know of it.

        @raise LoadFailed: the server does not create it.
        """
        users, step = list(self._users)[1:], GROUP_CHANGE_USERS
        try:
            async with asyncio.timeout(_MADE_S):
                await self._ask(encoding.create_group(self._request, users[:step]))
                for n in range(step, len(users), step):
                    request, some = f"{self._request}{n}", users[n : n + step]
                    await self._ask(encoding.add(request, self._group, some))
                await self.all_joined
        except TimeoutError:
            raise LoadFailed(
                f"{self._joined} of {len(self._members)} members saw their "
                f"group in {_MADE_S:.0f} s"
            ) from None
        self._members[0].all_answered()

    async def _ask(self, frame: bytes) -> None:
        await self._members[0].ask(self._mask.frame(frame))

    def delivered(self, member: MemberPeer, data: bytes, start: int, end: int) -> None:
        """
        Record a message that a member received.
        """
        if not member.seq:
            self._join()
        frame = data[start:end]
        known = self._seen.get(frame)
        if known is None:
            known = self._scan(data, start, end)
            if len(self._seen) >= _SEEN:
                self._seen.clear()
            self._seen[frame] = known
        number, seq = known
        member.has_message(seq)
        if number < 0:
            return
        came = self.account.deliver(member.index, number, seq)
        if came is not None and self.recorder is not None:
            due_s, whole = came
            now_s = self._time()
            self.recorder.delivered(due_s, now_s)
            if whole:
                self.recorder.whole(due_s, now_s)

    def _join(self) -> None:
        self._joined += 1
        if self._joined == len(self._members) and not self.all_joined.done():
            self.all_joined.set_result(None)

    def report_progress(self) -> None:
        """
        Report how far some members are, if that has changed.
        """
        self._turn += 1
        for member in self._members[self._turn % self._turns :: self._turns]:
            member.report_progress(self._conversation, self._mask)
