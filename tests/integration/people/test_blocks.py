"""
Tests of blocks and invitations (issue 11, row 14) with real daemons.
"""

from __future__ import annotations

from typing import Any

from tests.integration.cases import with_daemons
from tests.integration.device import Device
from tests.integration.people.test_groups import GroupsTestCase
from wsmsg.events.block import BLOCK
from wsmsg.events.group_change import GROUP
from wsmsg.events.invitation import DECLINE, INVITATION
from wsmsg.model import conversation_of
from wsmsg.protocol import client_pb2 as pb


def heard(device: Device, **fields: Any) -> list[Any]:
    """
    Return the messages with these fields that a device was pushed.
    """
    return [
        d
        for d in device.all("deliver")
        if all(getattr(d, name) == value for name, value in fields.items())
    ]


class ConsentTestCase(GroupsTestCase):
    """
    Base class with two users.
    """

    async def two(self, **more: Any) -> tuple[Device, Device]:
        """
        Return a device of each of two users.
        """
        anna = await self.device(self.user(), **more)
        return anna, await self.device(self.user(), **more)

    async def block(
        self, device: Device, *, user: int = 0, group: int = 0, on: bool = True
    ) -> None:
        """
        Block somebody, and wait until the device is told.
        """
        client_id = f"b-{user or group}-{len(device.received)}"
        frame = pb.Block(client_id=client_id, user=user, group=group, on=on)
        await device.send_frame(block=frame)
        answer = await device.answer(client_id)
        self.assertTrue(getattr(answer, "time", 0), answer)
        await device.expect("deliver", kind=BLOCK, client_id=client_id)

    async def say(self, device: Device, to: Device, text: str) -> Any:
        """
        Send a message from one user to another, and return the answer.
        """
        client_id = f"say-{text}"
        await device.send_frame(
            send=pb.Send(client_id=client_id, to=to.user, content=text)
        )
        answer = await device.answer(client_id)
        await device.expect("deliver", client_id=client_id)
        return answer

    async def synced(self, device: Device, name: str, after: int = 0) -> Any:
        """
        Return a page of a conversation.
        """
        request = f"s{len(device.received)}"
        await device.send_frame(
            sync=pb.Sync(id=request, conversation=name, after=after, limit=50)
        )
        return await device.expect("page", id=request)

    async def heads(self, device: Device) -> dict[str, Any]:
        """
        Return the conversations of a user.
        """
        request = f"c{len(device.received)}"
        await device.send_frame(conversations=pb.Conversations(id=request, limit=100))
        found = await device.expect("heads", id=request)
        return {head.conversation: head for head in found.heads}


class BlockTests(ConsentTestCase):
    """
    Someone who is blocked notices nothing, and reaches nobody.
    """

    @with_daemons
    async def test_consent_block(self) -> None:
        """
        The one who is blocked is told accepted, and has the message with its number;
        the one who blocks gets nothing, counts nothing, and sees no gap.
        """
        anna, bert = await self.two()
        name = conversation_of(anna.user, bert.user)
        await self.say(bert, anna, "before")
        await anna.expect("deliver", content="before")
        await self.block(anna, user=bert.user)
        for n in range(3):
            self.assertTrue((await self.say(bert, anna, f"spam {n}")).time)
        await anna.pong()
        self.assertEqual(len(heard(anna, conversation=name)), 1)
        head = (await self.heads(anna))[name]
        self.assertEqual((head.head, head.unread), (1, 1))
        page = await self.synced(anna, name)
        self.assertEqual([m.content for m in page.messages], ["before"])
        self.assertEqual((page.head, page.more), (1, False))
        self.assertEqual((await self.synced(anna, name, 1)).head, 1)
        theirs = await self.synced(bert, name)
        self.assertEqual([m.seq for m in theirs.messages], [1, 2, 3, 4])
        self.assertEqual((await self.heads(bert))[name].head, 4)
        unread = await self.get(f"users/{anna.user}/unread")
        self.assertEqual(unread["total"], 1)

    @with_daemons
    async def test_consent_unblock(self) -> None:
        """
        Messages of the time of a block do not come later; those after it do, behind a
        gap that a page settles.
        """
        anna, bert = await self.two(json_=True)
        name = conversation_of(anna.user, bert.user)
        await self.block(anna, user=bert.user)
        await self.say(bert, anna, "spam")
        self.assertNotIn(name, await self.heads(anna))
        await self.block(anna, on=False, user=bert.user)
        await self.say(bert, anna, "peace")
        delivered = await anna.expect("deliver", content="peace")
        self.assertEqual(delivered.seq, 2)
        page = await self.synced(anna, name)
        self.assertEqual([m.seq for m in page.messages], [2])
        head = (await self.heads(anna))[name]
        self.assertEqual((head.head, head.unread), (2, 1))
        await self.say(anna, bert, "well")
        await bert.expect("deliver", content="well")

    @with_daemons
    async def test_consent_block_of_all_devices(self) -> None:
        """
        A block reaches all devices of the user, is listed, survives a restart of
        Message, and concerns groups in no way.
        """
        group, (anna, bert, *_) = await self.crew(3)
        other = await self.device(anna.user, "tablet")
        await self.block(anna, user=bert.user)
        await other.expect("deliver", kind=BLOCK)
        await self.installation.message.kill()
        await self.installation.message.start()
        await self.installation.message.ready()
        await self.installation.connect.ready()
        for device in (anna, bert, other):
            await device.close()
        anna, bert = await self.device(anna.user), await self.device(bert.user)
        await anna.send_frame(blocks=pb.Blocks(id="b1"))
        listed = await anna.expect("blocked", id="b1")
        self.assertEqual([b.user for b in listed.blocks], [bert.user])
        await self.say(bert, anna, "spam")
        answer = await self.send_text(bert, group, "to all")
        self.assertTrue(answer.time)
        await anna.expect("deliver", content="to all")
        self.assertFalse(heard(anna, content="spam"))

    @with_daemons
    async def test_consent_typing(self) -> None:
        """
        Typing of someone who is blocked does not arrive.
        """
        anna, bert = await self.two()
        name = conversation_of(anna.user, bert.user)
        await self.say(bert, anna, "hello")
        await self.block(anna, user=bert.user)
        await bert.send_frame(typing=pb.Typing(conversation=name))
        await bert.pong()
        await self.say(anna, bert, "go away")
        await anna.pong()
        self.assertEqual(anna.all("typing"), [])

    @with_daemons
    async def test_consent_group_block(self) -> None:
        """
        Someone who left a group and blocked it is not added again by a member, nor
        invited; a service may add them.
        """
        group, (owner, anna, *_) = await self.crew(3)
        number = int(group["group"])
        await anna.send_frame(
            change_group=pb.ChangeGroup(
                client_id="leave", group=number, remove=[anna.user]
            )
        )
        await anna.answer("leave")
        await self.block(anna, group=number)
        await owner.send_frame(
            change_group=pb.ChangeGroup(client_id="add", group=number, add=[anna.user])
        )
        rejected = await owner.answer("add")
        self.assertEqual(rejected.code, "forbidden")
        self.assertIn(str(anna.user), rejected.reason)
        await owner.send_frame(
            invite=pb.Invite(client_id="inv", user=anna.user, group=number)
        )
        self.assertTrue((await owner.answer("inv")).time)
        await owner.expect("deliver", kind=INVITATION)
        listed = await self.get(f"users/{anna.user}/invitations")
        self.assertEqual(listed["invitations"], [])
        status, _ = await self.post(
            f"groups/{number}/members", client_id="op", users=[anna.user]
        )
        self.assertEqual(status, 200)

    @with_daemons
    async def test_consent_blocked_adds(self) -> None:
        """
        Someone who is blocked cannot add the other user to a group of theirs.
        """
        anna, bert = await self.two()
        await self.block(anna, user=bert.user)
        await bert.send_frame(
            create_group=pb.CreateGroup(client_id="g", name="Spam", members=[anna.user])
        )
        rejected = await bert.answer("g")
        self.assertEqual(rejected.code, "forbidden")


class InvitationTests(ConsentTestCase):
    """
    Users are asked to join groups.
    """

    async def invited(self) -> tuple[int, Device, Device]:
        """
        Return a group, its owner, and a user who is invited.
        """
        group, (owner, *_) = await self.crew(2)
        number = int(group["group"])
        guest = await self.device(self.user())
        await owner.send_frame(
            invite=pb.Invite(client_id=f"i{number}", user=guest.user, group=number)
        )
        self.assertTrue((await owner.answer(f"i{number}")).time)
        event = await guest.expect("deliver", kind=INVITATION)
        self.assertEqual(event.conversation, conversation_of(owner.user, guest.user))
        return number, owner, guest

    @with_daemons
    async def test_consent_accept(self) -> None:
        """
        A user who accepts an invitation is a member, and everybody is told.
        """
        number, owner, guest = await self.invited()
        await guest.send_frame(invitations=pb.Invitations(id="q"))
        [listed] = (await guest.expect("invited", id="q")).invitations
        self.assertEqual((listed.group, listed.by), (number, owner.user))
        self.assertEqual(listed.name, "crew")
        self.assertGreater(listed.expires, listed.time)
        await guest.send_frame(
            accept_invitation=pb.AcceptInvitation(client_id="yes", group=number)
        )
        self.assertTrue((await guest.answer("yes")).time)
        for device in (owner, guest):
            await device.expect("deliver", kind=GROUP, seq=2)
        await guest.send_frame(
            accept_invitation=pb.AcceptInvitation(client_id="again", group=number)
        )
        self.assertEqual((await guest.answer("again")).code, "forbidden")
        await guest.send_frame(invitations=pb.Invitations(id="q2"))
        self.assertFalse((await guest.expect("invited", id="q2")).invitations)

    @with_daemons
    async def test_consent_decline(self) -> None:
        """
        A user who declines joins nothing, and only their devices are told.
        """
        number, owner, guest = await self.invited()
        await guest.send_frame(
            decline_invitation=pb.DeclineInvitation(client_id="no", group=number)
        )
        self.assertTrue((await guest.answer("no")).time)
        await guest.expect("deliver", kind=DECLINE)
        await guest.send_frame(
            accept_invitation=pb.AcceptInvitation(client_id="yes", group=number)
        )
        self.assertEqual((await guest.answer("yes")).code, "forbidden")
        await owner.pong()
        self.assertFalse(heard(owner, kind=DECLINE))

    @with_daemons
    async def test_consent_strangers(self) -> None:
        """
        Only the owner invites, and nobody joins without an invitation.
        """
        number, _, guest = await self.invited()
        stranger = await self.device(self.user())
        await stranger.send_frame(
            accept_invitation=pb.AcceptInvitation(client_id="yes", group=number)
        )
        self.assertEqual((await stranger.answer("yes")).code, "forbidden")
        await guest.send_frame(
            invite=pb.Invite(client_id="i", user=stranger.user, group=number)
        )
        self.assertEqual((await guest.answer("i")).code, "forbidden")

    @with_daemons
    async def test_consent_http(self) -> None:
        """
        A service blocks, invites and answers for users.
        """
        number, owner, _ = await self.invited()
        anna = self.user()
        path = f"users/{anna}/blocks"
        status, _ = await self.post(path, client_id="b", user=owner.user)
        self.assertEqual(status, 204)
        listed = await self.get(path)
        self.assertEqual([b["user"] for b in listed["blocks"]], [owner.user])
        status, _ = await self.post(path, client_id="b2", user=owner.user, on=False)
        self.assertEqual(status, 204)
        self.assertEqual((await self.get(path))["blocks"], [])
        status, _ = await self.post(
            f"groups/{number}/invitations", client_id="i", user=anna
        )
        self.assertEqual(status, 204)
        path = f"users/{anna}/invitations"
        [one] = (await self.get(path))["invitations"]
        self.assertEqual((one["group"], one["by"]), (str(number), owner.user))
        status, _ = await self.post(f"{path}/{number}", client_id="y", accept=True)
        self.assertEqual(status, 204)
        members = await self.get(f"groups/{number}/members")
        self.assertIn(anna, [m["user"] for m in members["members"]])
        for body in ({"client_id": "x"}, {"client_id": "x", "user": 1, "group": 2}):
            status, problem = await self.post(f"users/{anna}/blocks", **body)
            self.assertEqual((status, problem["code"]), (400, "bad_request"))
