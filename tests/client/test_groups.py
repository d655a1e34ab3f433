"""
Tests for groups and recall, as a program that uses the client sees them.
"""

from __future__ import annotations

import asyncio
from typing import Any

from msgspec.structs import replace

from tests.asyncio_case import listed
from tests.client.client_case import ClientCase, U
from tests.client.doubles import FakeLink, welcome
from wsmsg.client import (
    Client,
    GroupChanged,
    GroupMemberState,
    MessageRecalled,
    MessageReceived,
    SendAccepted,
    SendSettled,
)
from wsmsg.client.state.events import received
from wsmsg.errors import BadRequest, Forbidden
from wsmsg.events.group_change import GROUP, GroupChange, encode_change
from wsmsg.events.recall import RECALL
from wsmsg.model import RECALLED
from wsmsg.protocol import frames
from wsmsg.protocol.frames import Deliver, Head

G = "g:5"


def message(seq: int, content: str = "hi", kind: int = 1, sender: int = 2) -> Deliver:
    return Deliver(G, seq, 1000 + seq, sender, content, kind, seq)


def change(seq: int, sender: int = 2, **said: object) -> Deliver:
    content = encode_change(GroupChange(**said))  # type: ignore[arg-type]
    return message(seq, content, GROUP, sender)


class GroupCase(ClientCase):
    """
    A client that is connected.
    """

    async def connected(self, **more: object) -> tuple[Client, FakeLink]:
        client = self.client(**more)
        client.start()
        link = await self.server.connection(welcome())
        await client.connect()
        return client, link


class RequestTests(GroupCase):
    """
    Requests, which are repeated until they are answered.
    """

    async def test_create(self) -> None:
        """
        The creator of a group gets its number and can send to it.
        """
        client, link = await self.connected()
        making = asyncio.create_task(client.create_group("Us", [2, 3, 2], history=True))
        frame = await link.next(frames.CreateGroup)
        self.assertEqual(
            (frame.name, frame.members, frame.history), ("Us", (2, 3), True)
        )
        link.give(frames.Accepted(frame.client_id, 7, G))
        self.assertEqual(await making, 5)
        sending = asyncio.create_task(client.send(group=5, content="hi"))
        send = await link.next(frames.Send)
        self.assertEqual((send.to, send.group, send.content), (0, 5, "hi"))
        link.give(frames.Accepted(send.client_id, 8))
        self.assertEqual(await sending, SendAccepted(send.client_id, 8))

    async def test_again(self) -> None:
        """
        Requests without an answer are repeated on the next connection with the same
        ids, in the same order.
        """
        client, link = await self.connected()
        asked = [
            asyncio.create_task(client.create_group("Us", [2], client_id="a")),
            asyncio.create_task(client.add_members(5, [3])),
            asyncio.create_task(client.recall(U, 3)),
        ]
        kinds = (frames.CreateGroup, frames.ChangeGroup, frames.Recall)
        first: list[Any] = [await link.next(kind) for kind in kinds]
        link.lose()
        link = await self.server.connection(welcome())
        again: list[Any] = [await link.next(kind) for kind in kinds]
        self.assertEqual(again, [replace(frame, repeat=True) for frame in first])
        link.give(frames.Accepted("a", 1, G))
        link.give(*(frames.Accepted(f.client_id, 1) for f in again[1:]))
        await asyncio.gather(*asked)

    async def test_next_run(self) -> None:
        """
        A group whose request was not answered when the program ended is created in its
        next run, and the program gets an event.
        """
        client, link = await self.connected(position_file=self.file)
        making = asyncio.create_task(client.create_group("Us", [2], client_id="a"))
        frame = await link.next(frames.CreateGroup)
        await client.close()
        await asyncio.gather(making, return_exceptions=True)
        client, link = await self.connected(position_file=self.file)
        self.assertEqual(
            await link.next(frames.CreateGroup), replace(frame, repeat=True)
        )
        link.give(frames.Accepted("a", 7, G))
        settled = await self.next(client.events(), SendSettled)
        self.assertEqual(settled.accepted, SendAccepted("a", 7, G))

    async def test_change(self) -> None:
        """
        Members are added and removed; a user who leaves removes themself.
        """
        client, link = await self.connected()
        changing = asyncio.create_task(client.change_group(5, add=[2, 2], remove=[3]))
        frame = await link.next(frames.ChangeGroup)
        self.assertEqual((frame.group, frame.add, frame.remove), (5, (2,), (3,)))
        link.give(frames.Accepted(frame.client_id, 1))
        await changing
        leaving = asyncio.create_task(client.leave(5))
        frame = await link.next(frames.ChangeGroup)
        self.assertEqual((frame.add, frame.remove), ((), (1,)))
        link.give(frames.Accepted(frame.client_id, 1))
        await leaving

    async def test_many(self) -> None:
        """
        Members beyond the limit of one change are added a thousand at a time.
        """
        client, link = await self.connected()
        adding = asyncio.create_task(client.add_members(5, range(1, 2502)))
        sizes = []
        for _ in range(3):
            frame = await link.next(frames.ChangeGroup)
            sizes.append(len(frame.add))
            link.give(frames.Accepted(frame.client_id, 1))
        await adding
        self.assertEqual(sizes, [1000, 1000, 501])

    async def test_refused(self) -> None:
        """
        A request that the server refuses raises its error.
        """
        client, link = await self.connected()
        changing = asyncio.create_task(client.remove_members(5, [2]))
        frame = await link.next(frames.ChangeGroup)
        link.give(frames.Rejected(frame.client_id, "forbidden", "not the owner"))
        with self.assertRaises(Forbidden):
            await changing

    async def test_cannot_be(self) -> None:
        """
        A request that no server would accept fails at once, and is not sent.
        """
        client, link = await self.connected()
        for asked in (
            client.create_group(""),
            client.create_group("a\nb"),
            client.create_group("Us", [0]),
            client.create_group("Us", range(1, 1003)),
            client.change_group(5),
            client.change_group(0, add=[1]),
            client.change_group(5, add=[1], remove=[1]),
            client.change_group(5, add=range(1, 1002)),
            client.recall(U, 0),
            client.members(-1),
        ):
            with self.assertRaises(BadRequest):
                await asked
        self.assertEqual((client.unsent, link.rest()), (0, []))

    async def test_members(self) -> None:
        """
        All members are read, page by page.
        """
        client, link = await self.connected()
        reading = asyncio.create_task(client.members(5))
        for user, more in ((2, True), (7, False), (9, False)):
            asked = await link.next(frames.Members)
            self.assertEqual(asked.group, 5)
            one = (frames.Member(user, 4),)
            answer = frames.Group(asked.id, 5, "Us", 2, True, 3, one, more)
            link.give(answer)
        group = await reading
        self.assertEqual(
            group.members,
            (GroupMemberState(2, 4), GroupMemberState(7, 4), GroupMemberState(9, 4)),
        )
        self.assertEqual((group.name, group.owner, group.history), ("Us", 2, True))

    async def test_members_who_come_and_go(self) -> None:
        """
        Users who are members all the time are read, also if others join and leave
        between the pages, and if the pages are shorter than the client asked for: the
        list ends where the server says so.
        """
        client, link = await self.connected()
        reading = asyncio.create_task(client.members(5))
        pages: list[tuple[int, tuple[int, ...], int, bool]] = [
            (0, (2, 3), 5, True),
            # 2 and 3 have left: the client has more members by now than there are.
            (3, (7,), 3, True),
            # 4 has joined, behind the place of the list.
            (7, (8,), 4, True),
            (8, (9,), 4, False),
        ]
        for after, users, count, more in pages:
            asked = await link.next(frames.Members)
            self.assertEqual(asked.after, after)
            members = tuple(frames.Member(user, 4) for user in users)
            answer = frames.Group(asked.id, 5, "Us", 2, True, count, members, more)
            link.give(answer)
        group = await reading
        self.assertEqual([m.user for m in group.members], [2, 3, 7, 8, 9])
        self.assertEqual((group.count, link.rest()), (4, []))

    async def test_members_lie(self) -> None:
        """
        The client stops asking a server that promises more members and sends none.
        """
        client, link = await self.connected()
        reading = asyncio.create_task(client.members(5))
        asked = await link.next(frames.Members)
        link.give(frames.Group(asked.id, 5, "Us", 2, True, 10**9, (), True))
        self.assertEqual((await reading).members, ())


class EventTests(GroupCase):
    """
    Events of groups and recalls.
    """

    async def test_told(self) -> None:
        """
        Changes of a group and recalls are events in their place among the messages.
        """
        client, link = await self.connected()
        events = client.events()
        link.give(change(1, created=True, name="Us", add=(2, 1)), message(2))
        link.give(message(3, "2", RECALL), change(4, add=(7,), remove=(8,)))
        made = await self.next(events, GroupChanged)
        self.assertEqual((made.group, made.created, made.name), (5, True, "Us"))
        self.assertEqual((made.seq, made.added, made.sender), (1, (2, 1), 2))
        self.assertEqual((await self.next(events, MessageReceived)).seq, 2)
        recalled = await self.next(events, MessageRecalled)
        self.assertEqual((recalled.seq, recalled.recalled), (3, 2))
        changed = await self.next(events, GroupChanged)
        self.assertEqual((changed.added, changed.removed), ((7,), (8,)))

    async def test_cursor(self) -> None:
        """
        Events are reported as delivered, like messages.
        """
        client, link = await self.connected()
        events = client.events()
        link.give(change(1, created=True, name="Us", add=(1,)), message(2, "1", RECALL))
        await self.next(events, MessageRecalled)
        reading = asyncio.create_task(self.next(events, MessageReceived))
        while (await link.next(frames.Delivered)).seq < 2:
            pass
        reading.cancel()

    async def test_joined_late(self) -> None:
        """
        A user who joins a group gets its messages from then on, and waits for none
        before.
        """
        client, link = await self.connected()
        events = client.events()
        link.give(change(17, add=(1,)))
        sync = await link.next(frames.Sync)
        self.assertEqual((sync.conversation, sync.after), (G, 0))
        link.give(frames.Page(sync.id, G, (change(17, add=(1,)),), 17))
        self.assertEqual((await self.next(events, GroupChanged)).seq, 17)
        link.give(message(18))
        self.assertEqual((await self.next(events, MessageReceived)).seq, 18)

    async def test_removed(self) -> None:
        """
        A user who was removed gets that event, even if messages before it cannot be
        read any more.
        """
        client, link = await self.connected()
        events = client.events()
        link.give(change(1, created=True, name="Us", add=(1,)))
        await self.next(events, GroupChanged)
        link.give(change(4, remove=(1,)))
        sync = await link.next(frames.Sync)
        self.assertEqual(sync.after, 0)
        link.give(frames.Error("forbidden", "you are not in g:5", sync.id))
        self.assertEqual((await self.next(events, GroupChanged)).removed, (1,))
        await client.caught_up()

    async def test_recalled_history(self) -> None:
        """
        A recalled message has no content in the history.
        """
        client, link = await self.connected()
        reading = asyncio.create_task(listed(client.history(G, after=4)))
        sync = await link.next(frames.Sync)
        link.give(frames.Page(sync.id, G, (message(5, "", RECALLED),), 5))
        (found,) = await reading
        assert isinstance(found, MessageReceived)
        self.assertTrue(found.recalled)

    async def test_history_begins_late(self) -> None:
        """
        The history before a seq has only messages below it, wherever it begins.
        """
        client, link = await self.connected()
        reading = asyncio.create_task(
            listed(client.history(G, before=8, newest_first=True, limit=100))
        )
        sync = await link.next(frames.Sync)
        page = tuple(message(seq) for seq in range(6, 12))
        link.give(frames.Page(sync.id, G, page, 30, True))
        self.assertEqual([m.seq for m in await reading], [7, 6])

    async def test_left_while_away(self) -> None:
        """
        A group that the user has left, with messages missing, holds nothing up.
        """
        client = self.client()
        client.start()
        head = Head(G, 9, time=5)
        link = await self.server.connection(welcome(head))
        sync = await link.next(frames.Sync)
        link.give(frames.Error("forbidden", "no", sync.id))
        await client.caught_up()

    def test_strange(self) -> None:
        """
        An event that the client cannot decode is a message of an unknown kind.
        """
        for strange in (
            message(1, "{", GROUP),
            message(1, "[]", GROUP),
            message(1, "{}", GROUP),
            message(1, "x", RECALL),
            message(1, "0", RECALL),
            Deliver("u:1:2", 1, 1, 2, '{"add":[1]}', GROUP, 1),
        ):
            self.assertIsInstance(received(strange, 1), MessageReceived)
