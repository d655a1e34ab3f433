"""
The TypeScript client in Node, and the real daemons.
"""

from __future__ import annotations

from typing import Any

from tests.integration.cases import IntegrationTestCase, eventually, with_daemons
from tests.typescript.person import Person

_MESSAGES = 200


class NodeClientTests(IntegrationTestCase):
    """
    Programs in Node that talk with each other.
    """

    async def _person(self, user: int, device: str = "node", **claims: Any) -> Person:
        installation = self.installation
        token = installation.token(user, **claims)
        person = await Person.begin(installation.url, token, device)
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
        person = await Person.begin(self.installation.url, "a.b.c", "node")
        self.at_end(person.end)
        person.send("never", to="5")
        await person.until(lambda: any(e["type"] == "closed" for e in person.events))
        await person.until(lambda: "send never" in person.results)
        self.assertEqual(person.results["send never"][0]["code"], "unauthenticated")
        self.assertEqual(await person.end(), 0)
