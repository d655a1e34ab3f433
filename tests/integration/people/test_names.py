"""
Users with names, with real daemons.
"""

from __future__ import annotations

import asyncio
from urllib.parse import quote

from tests.asyncio_case import listed
from tests.integration.cases import eventually, with_daemons
from tests.integration.installation import http_put
from tests.integration.people.names_case import (
    ANNA,
    BERTA,
    NamesCase,
)
from wsmsg.client import MessageReceived, PresenceChanged
from wsmsg.errors import NotFound, Unauthenticated
from wsmsg.model import conversation_of
from wsmsg.names import FIRST, candidates, group_of_key


class NamesTests(NamesCase):
    """
    C{users.names = true}.
    """

    @with_daemons
    async def test_talk(self) -> None:
        """
        Users with names talk, in both spellings, and each frame says who is who.
        """
        anna, berta = self.client(ANNA), self.client(BERTA, codec="json")
        await berta.connect()
        await anna.connect()
        self.assertEqual(anna.user, next(candidates(ANNA)))
        accepted = await anna.send(BERTA, "hi")
        name = conversation_of(anna.user, berta.user)
        self.assertEqual(accepted.conversation, name)
        async with asyncio.timeout(20):
            async for event in berta.events():
                # Other tests of this class send messages to the same names.
                if isinstance(event, MessageReceived) and event.sender == anna.user:
                    self.assertEqual(berta.name_of(event.sender), ANNA)
                    await berta.send(ANNA, "ho")
                    break
            async for event in anna.events():
                if isinstance(event, MessageReceived) and not event.mine:
                    self.assertEqual(anna.name_of(event.sender), BERTA)
                    break
        stored = await listed(anna.history(name))
        self.assertEqual([m.sender for m in stored[-2:]], [anna.user, berta.user])

    @with_daemons
    async def test_alike(self) -> None:
        """
        Names that differ in case are different users; what cannot be a name is refused
        with the reason.
        """
        one, other = self.client("dora"), self.client("Dora")
        await one.connect()
        await other.connect()
        self.assertNotEqual(one.user, other.user)
        for name, word in (
            ("do\u0308ra", "NFC"),
            ("dora\u202e", "U+202E"),
            ("007", "number"),
            (str(FIRST), "given to names"),
            ("d" * 129, "129 bytes"),
            ("", "0 bytes"),
        ):
            with self.assertRaises(Unauthenticated) as caught:
                await self.client(name).connect()
            self.assertIn(word, caught.exception.reason)

    @with_daemons
    async def test_nobody_has_the_name(self) -> None:
        """
        A message to a name that nobody has had is refused for good; a service that
        creates the name changes that.
        """
        anna = self.client(ANNA)
        await anna.connect()
        with self.assertRaises(NotFound) as caught:
            await anna.send("emil", "hi")
        self.assertIn("'emil'", caught.exception.reason)
        status, found = await self.api("names", {"names": ["emil"]})
        self.assertEqual((status, found["users"]), (200, [0]))
        port = self.installation.message.port("listen")
        status, found = await http_put(port, "/api/v1/names", {"names": ["emil"]})
        self.assertEqual(status, 200)
        await anna.send("emil", "hi")
        emil = self.client("emil")
        await emil.connect()
        self.assertEqual([emil.user], found["users"])

    @with_daemons
    async def test_bare_client(self) -> None:
        """
        A client that follows the protocol page finds all names beside the frames.
        """
        berta = self.client(BERTA)
        await berta.connect()
        bare, welcome = await self.bare("frieda")
        me, her = welcome["user"], berta.user
        self.assertEqual(welcome["names"], {str(me): "frieda"})
        await bare.say("names", id="n", names=[BERTA, "nobody"], keys=["room"])
        named = await bare.hear("named", id="n")
        self.assertEqual(named["names"], {str(her): BERTA})
        self.assertEqual(named["unknown"], ["nobody"])
        self.assertEqual(named["groups"], [str(group_of_key("room"))])
        await bare.say("send", client_id="c", to_name=BERTA, content="hi")
        accepted = await bare.hear("accepted", client_id="c")
        name = conversation_of(me, her)
        self.assertEqual(accepted["conversation"], name)
        both = {str(me): "frieda", str(her): BERTA}
        delivered = await bare.hear("deliver", conversation=name)
        self.assertEqual(delivered["names"], both)
        await bare.say("sync", id="s", conversation=name)
        page = await bare.hear("page", id="s")
        self.assertEqual(page["names"], both)
        await bare.say("conversations", id="h")
        heads = await bare.hear("heads", id="h")
        self.assertEqual(heads["names"], both)
        await bare.say("watch", names=[BERTA])
        presence = await bare.hear("presence", user=her)
        self.assertEqual(
            (presence["online"], presence["names"]), (True, {str(her): BERTA})
        )
        berta.typing(name)
        typing = await bare.hear("typing", user=her)
        self.assertEqual(typing["names"], both)
        berta.mark_read(name, 1)
        receipt = await bare.hear("receipt", user=her, read=1)
        self.assertEqual(receipt["names"], both)

    @with_daemons
    async def test_groups(self) -> None:
        """
        Groups have members with names; a service gives a group the application's own
        id, by which it is found.
        """
        anna, berta = self.client(ANNA), self.client(BERTA)
        await berta.connect()
        await anna.connect()
        group = await anna.create_group("Crew", [BERTA])
        found = await anna.members(group)
        names = {anna.name_of(m.user) for m in found.members}
        self.assertEqual((names, found.key), ({ANNA, BERTA}, ""))
        body = {
            "client_id": "k",
            "owner": ANNA,
            "name": "Room",
            "key": "room/7",
            "members": [BERTA],
        }
        status, made = await self.api("groups", body)
        self.assertEqual((status, made["key"]), (201, "room/7"))
        status, _ = await self.api("groups", {**body, "client_id": "other"})
        self.assertEqual(status, 409)
        _, shown = await self.api(f"groups/{quote('room/7', safe='')}")
        self.assertEqual(shown["count"], 2)
        keyed = (await berta.look_up(keys=["room/7"])).groups["room/7"]
        self.assertEqual((await berta.members(keyed)).key, "room/7")
        await anna.change_group(keyed, remove=[BERTA])

        async def left() -> bool:
            return (await anna.members(keyed)).count == 1

        await eventually("the change", left)

    @with_daemons
    async def test_watch(self) -> None:
        """
        Users are watched by name.
        """
        anna, berta = self.client(ANNA), self.client(BERTA)
        await berta.connect()
        await anna.connect()
        anna.watch([BERTA])
        async with asyncio.timeout(20):
            async for event in anna.events():
                if isinstance(event, PresenceChanged) and event.online:
                    self.assertEqual(event.user, berta.user)
                    break

    @with_daemons
    async def test_command_line(self) -> None:
        """
        C{wsmsg token}, C{wsmsg chat} and C{wsmsg groups} take names.
        """
        berta = self.client(BERTA)
        await berta.connect()
        url = self.installation.url
        status, told = await self.run_wsmsg(
            "chat", "--user", ANNA, "--target", BERTA, "--url", url, given="one\ntwo\n"
        )
        self.assertEqual(status, 0, told)
        status, told = await self.run_wsmsg(
            "groups", "create", "--user", ANNA, "--url", url, "Crew", BERTA
        )
        self.assertEqual(status, 0, told)
        status, told = await self.run_wsmsg(
            "groups", "members", "--user", ANNA, "--url", url, told.strip()
        )
        self.assertEqual(status, 0, told)
        self.assertIn(f"owner {ANNA}", told)
        self.assertIn(f"{BERTA} since 1", told)
        status, told = await self.run_wsmsg("token", ANNA)
        self.assertEqual((status, told.count(".")), (0, 2))
        status, told = await self.run_wsmsg("token", "a\tb")
        self.assertNotEqual(status, 0)
        self.assertIn("U+0009", told)

    @with_daemons
    async def test_consent(self) -> None:
        """
        Users are blocked and invited by name, in frames and at the command line, and
        the lists and events have the names.
        """
        berta = self.client(BERTA)
        await berta.connect()
        bare, welcome = await self.bare("ida")
        me, her = welcome["user"], berta.user
        await bare.say("block", client_id="b", user_name=BERTA, on=True)
        event = await bare.hear("deliver", kind=1008)
        self.assertEqual(event["names"], {str(me): "ida", str(her): BERTA})
        await bare.say("blocks", id="q")
        blocked = await bare.hear("blocked", id="q")
        self.assertEqual([b["user"] for b in blocked["blocks"]], [her])
        self.assertEqual(blocked["names"], {str(her): BERTA})
        group = await berta.create_group("Crew")
        url = ("--url", self.installation.url)
        _, listed = await self.api("users/ida/blocks")
        self.assertEqual(listed["names"], {str(her): BERTA})
        for arguments, word in (
            (("blocks", "list", "--user", "ida"), f"user {BERTA} "),
            (("blocks", "list", "--user", "ida", "--json"), f'"user_name": "{BERTA}"'),
            (("blocks", "remove", "--user", "ida", BERTA), f"unblocked user {BERTA}"),
            (("blocks", "list", "--user", "ida"), "no blocks"),
            (("groups", "invite", "--user", BERTA, str(group), "ida"), "invited 1"),
            (("groups", "invitations", "--user", "ida"), f"{group} {BERTA} "),
            (
                ("groups", "invitations", "--user", "ida", "--json"),
                f'"by_name": "{BERTA}"',
            ),
            (("blocks", "add", "--user", "ida", "nobody"), "'nobody'"),
        ):
            _, told = await self.run_wsmsg(*arguments, *url)
            self.assertIn(word, told, arguments)
        await bare.say("invitations", id="i")
        invited = await bare.hear("invited", id="i")
        self.assertEqual(invited["names"], {str(her): BERTA})
        _, listed = await self.api("users/ida/invitations")
        self.assertEqual(listed["invitations"][0]["by"], her)
        self.assertEqual(listed["names"], {str(her): BERTA})
        accept = ("groups", "accept", "--user", "ida", str(group))
        self.assertEqual((await self.run_wsmsg(*accept, *url))[0], 0)
        members = await berta.members(group)
        self.assertEqual({m.user for m in members.members}, {me, her})

    @with_daemons
    async def test_end_sessions(self) -> None:
        """
        C{wsmsg users} takes names: a session ends, and a revoked token logs in no more.
        """
        karl = self.client("karl/7")
        await karl.connect()
        port = self.installation.message.port("listen")
        at = ("--url", f"http://127.0.0.1:{port}")
        for command, word in (
            ("end-sessions", "end the sessions of karl/7"),
            ("revoke-tokens", "revoked the tokens of karl/7"),
        ):
            status, told = await self.run_wsmsg("users", command, "karl/7", *at)
            self.assertEqual(status, 0, told)
            self.assertIn(word, told)
        status, told = await self.run_wsmsg("users", "end-sessions", "nobody", *at)
        self.assertEqual(status, 1)
        self.assertIn("no user has the name 'nobody'", told)

    @with_daemons
    async def test_kill_and_away(self) -> None:
        """
        While Message is away, a message to an unknown name waits at the client as any
        other, and a login of an unknown name is told C{unavailable}; after a kill of
        everything each name has its number.
        """
        gustav = self.client("gustav")
        await gustav.connect()
        anna = self.client(ANNA)
        await anna.connect()
        user = anna.user
        await self.installation.message.kill()
        sending = [
            asyncio.create_task(anna.send(to, text))
            for to, text in (("gustav", "1"), ("gustav", "2"), (gustav.user, "3"))
        ]
        stranger = self.client("hanna")
        stranger.start()
        await eventually("a refusal", lambda: "unavailable" in str(stranger.state))
        await self.installation.connect.kill()
        for daemon in self.installation.daemons:
            await daemon.start()
        for daemon in self.installation.daemons:
            await daemon.ready()
        async with asyncio.timeout(30):
            await asyncio.gather(*sending)
            await stranger.connect()
        name = conversation_of(user, gustav.user)

        async def stored() -> bool:
            return len(await listed(anna.history(name))) == 3

        await eventually("the three messages", stored)
        found = [m async for m in anna.history(name) if isinstance(m, MessageReceived)]
        self.assertEqual([m.content for m in found], ["1", "2", "3"])
        self.assertEqual(anna.user, user)
