"""
The TypeScript client in Node, and the real daemons.
"""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from tests.integration.cases import IntegrationTestCase, eventually, with_daemons
from tests.typescript.person import Person

_MESSAGES = 200


class NodeClientTests(IntegrationTestCase):
    """
    Programs in Node that talk with each other.
    """

    codec = "json"

    async def _person(self, user: int, device: str = "node", **claims: Any) -> Person:
        installation = self.installation
        token = installation.token(user, **claims)
        person = await Person.begin(installation.url, token, device, self.codec)
        self.at_end(person.end)
        return person

    @with_daemons
    async def test_message_is_killed(self) -> None:
        """
        Two clients talk while Message is killed and started again: each message is
        accepted, and both read all of them once and in the same order.
        """
        one, two = self.user(), self.user()
        people = {one: await self._person(one), two: await self._person(two)}
        said: dict[int, list[str]] = {one: [], two: []}
        for n in range(_MESSAGES):
            for user, other in ((one, two), (two, one)):
                content = f"{user} says {n}"
                said[user].append(content)
                people[user].send(content, to=str(other))
            if n == _MESSAGES // 2:
                await people[one].until_has(messages=20, results=10)
                await self.installation.message.kill()
            if n == _MESSAGES - 20:
                await self.installation.message.start()
        for person in people.values():
            await person.until_has(messages=2 * _MESSAGES, results=_MESSAGES)
        for user, person in people.items():
            failed = [r for results in person.results.values() for r in results]
            self.assertEqual([r for r in failed if "failed" in r], [])
            for sender, contents in said.items():
                read = [m for m in person.messages if m["sender"] == str(sender)]
                self.assertEqual([m["content"] for m in read], contents, user)
        seqs = [m["seq"] for m in people[one].messages]
        self.assertEqual(seqs, list(range(1, 2 * _MESSAGES + 1)))
        order = [[m["messageId"] for m in p.messages] for p in people.values()]
        self.assertEqual(order[0], order[1])

    @with_daemons
    async def test_everything_else(self) -> None:
        """
        Groups, history, receipts, typing, presence and recall work, and what the
        server refuses fails with the error of the table.
        """
        one, two = self.user(), self.user()
        anna, ben = await self._person(one), await self._person(two)
        await ben.call("connect")
        group = await anna.call("createGroup", "Crew", [str(two)])
        self.assertIsInstance(group, str)
        anna.send("hello", group=group)
        await ben.until(lambda: ben.messages)
        conversation = f"g:{group}"
        self.assertEqual(ben.messages[0]["conversation"], conversation)
        [changed] = [e for e in ben.events if e["type"] == "groupChanged"]
        self.assertEqual((changed["group"], changed["name"]), (group, "Crew"))
        state = await ben.call("members", group)
        self.assertEqual([m["user"] for m in state["members"]], [str(one), str(two)])

        anna.send("hi", to=str(two))
        await ben.until(lambda: len(ben.messages) == 2)
        pair = f"u:{one}:{two}"
        await ben.call("markRead", pair, 1)
        await anna.until(lambda: any(e.get("read") == 1 for e in anna.events))
        await ben.call("typing", pair)
        await anna.until(
            lambda: any(e["type"] == "typingReceived" for e in anna.events)
        )
        await anna.call("watch", [str(two)])
        await anna.until(lambda: any(e.get("online") for e in anna.events))

        await anna.call("recall", conversation, 2)
        await ben.until(lambda: any(e.get("recalled") == 2 for e in ben.events))
        read = await ben.call("history", conversation)
        kinds = [(e["type"], e["seq"]) for e in read]
        self.assertEqual(kinds[1:], [("messageReceived", 2), ("messageRecalled", 3)])
        self.assertTrue(read[1]["recalled"] and not read[1]["content"])
        heads = await ben.call("conversations")
        found = {head["conversation"]: head["head"] for head in heads}
        self.assertEqual(found, {pair: 1, conversation: 3})

        refused = await ben.call("recall", conversation, 2)
        self.assertEqual(refused["code"], "forbidden")
        refused = await ben.call("history", f"u:1:{one}")
        self.assertEqual(refused["code"], "forbidden")
        rounded = await ben.call("send", {"to": one, "content": "a number"})
        self.assertIn("TypeError", rounded["error"])

    @with_daemons
    async def test_blocks_and_invitations(self) -> None:
        """
        A blocked user's messages do not arrive, an invitation is accepted or declined,
        and the other devices of a user hear of it.
        """
        one, two = self.user(), self.user()
        anna, ben = await self._person(one), await self._person(two)
        phone = await self._person(two, "phone")
        await phone.call("connect")
        await ben.call("block", str(one))
        await phone.until(
            lambda: any(e["type"] == "blockChanged" for e in phone.events)
        )
        [block] = await ben.call("blocks")
        self.assertEqual((block["user"], block["group"]), (str(one), "0"))
        anna.send("withheld", to=str(two))
        await anna.until(lambda: "send withheld" in anna.results)
        await ben.call("unblock", str(one))
        await phone.until(lambda: any(e.get("on") is False for e in phone.events))
        self.assertEqual(await ben.call("blocks"), [])
        anna.send("heard", to=str(two))
        await ben.until(lambda: ben.messages)
        self.assertEqual([m["content"] for m in ben.messages], ["heard"])
        self.assertEqual(await ben.call("head", f"u:{one}:{two}"), 2)

        groups = [await anna.call("createGroup", name) for name in ("Crew", "Band")]
        for group in groups:
            await anna.call("invite", group, str(two))
        await ben.until(
            lambda: sum(e["type"] == "invitationReceived" for e in ben.events) == 2
        )
        found = await ben.call("invitations")
        self.assertEqual({i["group"] for i in found}, set(groups))
        self.assertEqual({i["by"] for i in found}, {str(one)})
        await ben.call("acceptInvitation", groups[0])
        await ben.call("declineInvitation", groups[1])
        await phone.until(
            lambda: any(e["type"] == "invitationDeclined" for e in phone.events)
        )
        await phone.until(
            lambda: any(e["type"] == "groupChanged" for e in phone.events)
        )
        self.assertEqual(await ben.call("invitations"), [])
        state = await ben.call("members", groups[0])
        self.assertEqual({m["user"] for m in state["members"]}, {str(one), str(two)})
        await ben.call("blockGroup", groups[1])
        refused = await ben.call("acceptInvitation", groups[1])
        self.assertEqual(refused["code"], "forbidden")

    @with_daemons
    async def test_connect_is_killed(self) -> None:
        """
        A client whose Connect is killed says so, and goes on with the next one.
        """
        one, two = self.user(), self.user()
        anna, ben = await self._person(one), await self._person(two)
        await anna.call("connect")
        await ben.call("connect")
        await self.installation.connect.kill()
        for n in range(5):
            anna.send(f"text {n}", to=str(two))
        await anna.until(lambda: anna.events[-1]["type"] == "reconnecting")
        await self.installation.connect.start()
        await ben.until(lambda: len(ben.messages) >= 5)
        contents = [m["content"] for m in ben.messages]
        self.assertEqual(contents, [f"text {n}" for n in range(5)])
        await eventually("all are accepted", lambda: len(anna.results) >= 6)

    @with_daemons
    async def test_bad_token(self) -> None:
        """
        A token that is not valid ends the client with the error, and its calls fail.
        """
        person = await Person.begin(self.installation.url, "a.b.c", "node", self.codec)
        self.at_end(person.end)
        person.send("never", to="5")
        await person.until(lambda: any(e["type"] == "closed" for e in person.events))
        await person.until(lambda: "send never" in person.results)
        self.assertEqual(person.results["send never"][0]["code"], "unauthenticated")
        self.assertEqual(await person.end(), 0)


class ProtobufClientTests(NodeClientTests):
    """
    The same with frames in protobuf.
    """

    codec = "protobuf"


def _any_online(events: list[dict[str, Any]]) -> bool:
    return any(event.get("online") for event in events)


class NamedUserTests(IntegrationTestCase):
    """
    Users with names.
    """

    message: ClassVar[dict[str, Any]] = {"users.names": "true"}
    connect: ClassVar[dict[str, Any]] = {"users.names": "true"}

    @with_daemons
    async def test_names(self) -> None:
        """
        Users send, watch and look up by name, and names stand for the ids of events,
        with both codecs.
        """
        people = {}
        for codec in ("json", "protobuf"):
            name = f"{codec}-{self.user()}@example.org"
            token = self.installation.token(name)
            url = self.installation.url
            people[name] = await Person.begin(url, token, "node", codec)
            self.at_end(people[name].end)
            await people[name].call("connect")
        (anna, first), (ben, second) = people.items()
        first.send("hello", to=ben)
        await second.until(lambda: second.messages)
        sender = second.messages[0]["sender"]
        self.assertEqual(await second.call("nameOf", sender), anna)
        second.send("hello back", to=anna)
        await first.until(lambda: len(first.messages) == 2)
        for person, other in ((first, ben), (second, anna)):
            await person.call("watch", [other])
            await person.until(partial(_any_online, person.events))
            asked = {"names": [other, "nobody@example.org"], "keys": ["room/7"]}
            found = await person.call("lookUp", asked)
            self.assertEqual(list(found["users"]), [other])
            self.assertEqual(found["unknown"], ["nobody@example.org"])
            group = await person.call("createGroup", "Crew", [other])
            state = await person.call("members", group)
            self.assertEqual(len(state["members"]), 2)
            self.assertIn(found["users"][other], [m["user"] for m in state["members"]])
        refused = await first.call("send", {"to": "nobody@example.org", "content": "x"})
        self.assertEqual(refused["code"], "not_found")
