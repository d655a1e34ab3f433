"""
Tests of the load on a group, against a scripted Connect.
"""

from __future__ import annotations

import asyncio
from typing import Any

from tests.asyncio_case import AsyncioCase
from tests.bench.load.doubles import ManualTime, MemoryTransport
from tests.bench.load.test_pairs import KEY, RUN, give, sent
from wsmsg.bench.load.connecting import LoadFailed
from wsmsg.bench.load.group import GroupAccount, GroupLoad, MemberPeer
from wsmsg.bench.load.measurements import Recorder
from wsmsg.model import group_conversation, group_of
from wsmsg.protocol.client_pb2 import Accepted, Deliver, Receipt, Rejected


class GroupLoadTests(AsyncioCase):
    """
    The frames that a group sends, and its reactions to answers.
    """

    async def asyncSetUp(self) -> None:
        self.clock = ManualTime()
        self.group = group_of(5, f"{RUN}-group")

    def gather(self, count: int = 3, window: int = 1) -> None:
        """
        Make connected members with the users 5, 6 and so on.
        """
        self.members = [self.member() for _ in range(count)]
        self.group_load = GroupLoad(
            self.members,
            self.clock,
            mask=KEY,
            run=RUN,
            first_user=5,
            size=30,
            window=window,
        )

    def member(self) -> MemberPeer:
        """
        Make a connected member.
        """
        opened = asyncio.get_running_loop().create_future()
        peer = MemberPeer(KEY, "h", "/", {}, opened, lambda reason: None)
        peer.on_other = lambda name: None
        peer.transport = MemoryTransport()
        peer._upgraded = True
        return peer

    def written(self, index: int = 0) -> list[Any]:
        """
        Return the frames that a member sent.
        """
        transport = self.members[index].transport
        assert isinstance(transport, MemoryTransport)
        return sent(transport)

    def deliver(self, index: int, number: int, seq: int) -> None:
        """
        Deliver a message of the load to a member.
        """
        marker = f"{RUN}{number:012x}"
        message = Deliver(
            conversation=group_conversation(self.group),
            seq=seq,
            content=marker + "." * 10,
            client_id="" if index else marker,
        )
        give(self.members[index], deliver=message)

    async def made(self, count: int = 3, window: int = 1) -> None:
        """
        Make a created group.
        """
        self.gather(count, window)
        making = asyncio.ensure_future(self.group_load.make())
        await self.turn()
        give(self.members[0], accepted=Accepted(client_id=f"{RUN}-group"))
        for member in self.members:
            self.told(member)
        await making
        self.written()
        self.recorder = Recorder(100.0, 110.0, {})
        self.group_load.begin(self.recorder)

    def told(self, member: MemberPeer) -> None:
        """
        Tell a member of the group.
        """
        name = group_conversation(self.group)
        give(member, deliver=Deliver(conversation=name, seq=1, kind=1001, content="{}"))

    async def turn(self) -> None:
        """
        Run the event loop once.
        """
        await asyncio.sleep(0)

    async def test_make(self) -> None:
        """
        The first member creates the group of all; it is ready when all were told.
        """
        self.gather()
        making = asyncio.ensure_future(self.group_load.make())
        await self.turn()
        (frame,) = self.written()
        self.assertEqual(list(frame.create_group.members), [6, 7])
        give(self.members[0], accepted=Accepted(client_id=f"{RUN}-group"))
        for member in self.members:
            await self.turn()
            self.assertFalse(making.done())
            self.told(member)
        await making

    async def test_make_large(self) -> None:
        """
        Members beyond the limit of one change are added by further changes.
        """
        self.gather(2500)
        making: asyncio.Future[None] = asyncio.ensure_future(self.group_load.make())
        await self.turn()
        (frame,) = self.written()
        self.assertEqual(len(frame.create_group.members), 1000)
        for first in (1006, 2006):
            give(self.members[0], accepted=Accepted(client_id="any"))
            await self.turn()
            (frame,) = self.written()
            self.assertEqual(frame.change_group.group, self.group)
            self.assertEqual(frame.change_group.add[0], first)
        making.cancel()

    async def test_refused(self) -> None:
        """
        If the server refuses to create the group, the load ends with the reason.
        """
        self.gather()
        making = asyncio.ensure_future(self.group_load.make())
        await self.turn()
        no = Rejected(client_id=f"{RUN}-group", code="not_found", reason="no groups")
        give(self.members[0], rejected=no)
        await self.assert_fails(making, "not_found: no groups")

    async def assert_fails(self, making: Any, words: str) -> None:
        """
        Check that the load ends with these words.
        """
        with self.assertRaises(LoadFailed) as caught:
            await making
        self.assertIn(words, str(caught.exception))

    async def test_to_all(self) -> None:
        """
        The next message is sent when all members have this one; each delivery and the
        last of them are timed.
        """
        await self.made()
        self.group_load.refill()
        (frame,) = self.written()
        self.assertEqual(frame.send.group, self.group)
        give(self.members[0], accepted=Accepted(client_id=frame.send.client_id))
        for index in range(3):
            self.assertEqual(self.written(), [])
            self.clock.now += 1
            self.deliver(index, 0, 2)
        self.assertEqual(list(self.recorder.latencies), [1.0, 2.0, 3.0])
        self.assertEqual(list(self.recorder.to_all), [3.0])
        (frame,) = self.written()
        self.assertEqual(frame.send.client_id, f"{RUN}{1:012x}")

    async def test_receipts_do_not_matter(self) -> None:
        """
        Receipts are not counted.
        """
        await self.made()
        give(self.members[1], receipt=Receipt(user=6))
        self.assertEqual(self.recorder.count, 0)

    async def test_rejected(self) -> None:
        """
        The load does not wait for a rejected message, and delays the next as the server
        asks.
        """
        await self.made()
        self.group_load.refill()
        (frame,) = self.written()
        no = Rejected(
            client_id=frame.send.client_id, code="overloaded", retry_after_ms=500
        )
        give(self.members[0], rejected=no)
        self.assertEqual(self.written(), [])
        self.clock.advance(0.5)
        self.assertEqual(len(self.written()), 1)
        self.assertEqual(self.group_load.account.totals().rejected, {"overloaded": 1})

    async def test_progress(self) -> None:
        """
        Within ten turns, each member reports once how far it is.
        """
        await self.made()
        for _ in range(10):
            self.group_load.report_progress()
        for index in range(3):
            (frame,) = self.written(index)
            self.assertEqual(frame.delivered.seq, 1)
        for _ in range(10):
            self.group_load.report_progress()
        self.assertEqual(self.written(1), [])


class AccountTests(AsyncioCase):
    """
    The accounts of a group.
    """

    def setUp(self) -> None:
        self.account = GroupAccount(2)

    def deliver(self, *came: tuple[int, int, int]) -> None:
        """
        Deliveries: member, number, seq.
        """
        for one in came:
            self.account.deliver(*one)

    def test_settled(self) -> None:
        """
        The load is settled when every message is answered and delivered to all.
        """
        self.account.send(1.0)
        self.assertEqual(self.account.in_flight, 1)
        self.deliver((0, 0, 2), (1, 0, 2))
        self.assertFalse(self.account.settled)
        self.account.accept(0)
        self.assertTrue(self.account.settled)
        self.assertEqual(self.account.in_flight, 0)

    def test_lost(self) -> None:
        """
        Accepted messages that did not arrive are counted by delivery.
        """
        for _ in range(3):
            self.account.accept(self.account.send(1.0))
        self.deliver((0, 0, 2), (1, 0, 2), (0, 1, 3))
        totals = self.account.totals()
        self.assertEqual((totals.sent, totals.accepted, totals.lost), (3, 3, 3))

    def test_problems(self) -> None:
        """
        Deliveries that come twice, late or never are counted.
        """
        for _ in range(4):
            self.account.accept(self.account.send(1.0))
        self.deliver((0, 0, 2), (0, 0, 2), (0, 2, 4), (0, 1, 3), (0, 3, 6))
        totals = self.account.totals()
        self.assertEqual((totals.doubled, totals.unordered, totals.holes), (1, 1, 1))
