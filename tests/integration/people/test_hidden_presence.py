"""
Tests of presence that is hidden from users (issue 11, row 14) with real daemons.
"""

from __future__ import annotations

from typing import Any, ClassVar

from tests.integration.cases import with_daemons
from tests.integration.device import Device
from tests.integration.installation import free_ports, http_get, http_post
from tests.integration.people.test_contacts import Hook
from tests.integration.people.test_groups import GroupsTestCase
from tests.integration.people.test_presence import TwoConnectsTestCase
from wsmsg.protocol import client_pb2 as pb


class BlockedWatcherTests(TwoConnectsTestCase):
    """
    A blocked user watches the one who blocked.
    """

    async def block(self, device: Device, user: int, *, on: bool) -> None:
        """
        Have a user block another, or end that.
        """
        name = f"{user} {on}"
        await device.send_frame(block=pb.Block(client_id=name, user=user, on=on))
        self.assertTrue((await device.answer(name)).time)

    async def seen(self, watcher: Device, user: int) -> Any:
        """
        Watch a user, and return the answer.
        """
        await watcher.send_frame(watch=pb.Watch(users=[]))
        watcher.forget_received()
        await watcher.send_frame(watch=pb.Watch(users=[user]))
        return await watcher.expect("presence", user=user)

    @with_daemons
    async def test_row_14_a_blocked_user_does_not_see_presence(self) -> None:
        """
        A watcher on another Connect, and one on the same, are told at once that the
        user is offline, as of somebody who was never seen, and nothing more until the
        block ends; another watcher sees the truth all the time.
        """
        user = self.user()
        device, watcher = await self.watched(user)
        friend = await self.device(self.user())
        second = await self.device(watcher.user, "tablet")
        for one in (friend, second):
            self.assertTrue((await self.seen(one, user)).online)
        for one in (watcher, second):
            one.forget_received()
        await self.block(device, watcher.user, on=True)
        for one in (watcher, second):
            gone = await one.expect("presence", user=user, online=False)
            self.assertEqual(gone.last_seen, 0)
            told = await self.seen(one, user)
            self.assertEqual((told.online, told.last_seen), (False, 0))
        self.assertTrue((await self.seen(friend, user)).online)
        self.assertEqual(await self.by_http(user, watcher.user), (False, 0))
        self.assertTrue((await self.by_http(user, friend.user))[0])
        self.assertTrue((await self.by_http(user, 0))[0])
        heard = [len(one.all("presence")) for one in (watcher, second)]
        friend.forget_received()
        await device.close()
        await friend.expect("presence", user=user, online=False)
        again = await self.device(user)
        await friend.expect("presence", user=user, online=True)
        now_heard = [len(one.all("presence")) for one in (watcher, second)]
        self.assertEqual(heard, now_heard)
        await self.block(again, watcher.user, on=False)
        for one in (watcher, second):
            await one.expect("presence", user=user, online=True)

    async def by_http(self, user: int, asker: int) -> tuple[bool, int]:
        """
        Ask for the presence of a user over HTTP, in both ways.
        """
        port = self.installation.ports["message.listen"]
        path = f"/api/v1/presence?users={user}" + (f"&asker={asker}" if asker else "")
        status, got = await http_get(port, path)
        self.assertEqual(status, 200, got)
        body = {"users": [user], **({"asker": asker} if asker else {})}
        status, posted = await http_post(port, "/api/v1/presence", body)
        self.assertEqual(status, 200, posted)
        [one], [same] = got["presence"], posted["presence"]
        self.assertEqual(one["online"], same["online"])
        return one["online"], one["last_seen_ms"]


class RuleTests(GroupsTestCase):
    """
    The operator lets users see only those with whom they share something.
    """

    message: ClassVar[dict[str, Any]] = {"consent.presence": "shared"}

    @with_daemons
    async def test_row_14_shared_presence(self) -> None:
        """
        Members of a group see each other, and so do users who have a conversation; a
        stranger sees somebody who is offline.
        """
        _, (anna, bert) = await self.crew(2)
        stranger = await self.device(self.user())
        await bert.send_frame(watch=pb.Watch(users=[anna.user]))
        await bert.expect("presence", user=anna.user, online=True)
        await stranger.send_frame(watch=pb.Watch(users=[anna.user]))
        told = await stranger.expect("presence", user=anna.user)
        self.assertEqual((told.online, told.last_seen), (False, 0))
        friend = await self.device(self.user())
        hello = pb.Send(client_id="hello", to=friend.user, content="hello")
        await anna.send_frame(send=hello)
        await friend.expect("deliver", content="hello")
        await friend.send_frame(watch=pb.Watch(users=[anna.user]))
        await friend.expect("presence", user=anna.user, online=True)


_PORT = free_ports(1)[0]


class HookTests(GroupsTestCase):
    """
    A service of the operator says who sees whom.
    """

    message: ClassVar[dict[str, Any]] = {
        "consent.presence": "hook",
        "consent.hook_url": f"http://127.0.0.1:{_PORT}/consent",
    }

    @with_daemons
    async def test_row_14_hook(self) -> None:
        """
        The hook is told that presence is asked about; without an answer, users are
        hidden, and shown in a round once the hook allows that.
        """
        hook = Hook()
        anna, bert = [await self.device(self.user()) for _ in range(2)]
        await bert.send_frame(watch=pb.Watch(users=[anna.user]))
        told = await bert.expect("presence", user=anna.user)
        self.assertEqual((told.online, told.last_seen), (False, 0))
        hook.allow = [anna.user]
        await hook.start(_PORT)
        self.at_end(hook.stop)
        await bert.expect("presence", 10, user=anna.user, online=True)
        question = {"user": bert.user, "others": [anna.user], "about": "presence"}
        self.assertEqual(hook.asked, [question])
