"""
The lives of messages: C{wsmsg where} on real daemons.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

from tests.integration.cases import IntegrationTestCase, eventually, with_daemons
from tests.integration.device import Device
from tests.integration.installation import DaemonProcess, free_ports, http_get
from wsmsg.model import conversation_of
from wsmsg.protocol import client_pb2 as pb

_LISTENERS = ("listen", "rpc_listen", "admin_listen")


class WhereCase(IntegrationTestCase):
    """
    The command, on the Message of the installation.
    """

    async def run_where(self, *words: str) -> tuple[int, str]:
        """
        Run the command.

        @return: its exit status and its output.
        """
        message = self.installation.message
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).parent / "wsmsg"),
            "where",
            *words,
            f"--message-admin=http://127.0.0.1:{message.port('admin_listen')}",
            f"--key-file={message.admin_key}",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return process.returncode or 0, output.decode()

    async def where(self, *words: str) -> Any:
        """
        Return what the command knows.
        """
        status, output = await self.run_where(*words, "--json")
        self.assertEqual(status, 0, output)
        self.assertNotIn("secret text", output)
        return json.loads(output)


def stages(life: Any, *names: str) -> list[Any]:
    """
    Return the stages with these names.
    """
    return [s for s in life["stages"] if s["stage"] in names]


class WhereTests(WhereCase):
    """
    One Connect and one Message.
    """

    @with_daemons
    async def test_delivered(self) -> None:
        """
        A message to an online user has all its stages, in their order, by its id, by
        its place, and by its sender and client id; and the command shows them in words.
        """
        sender, recipient = (
            await self.device(self.user()),
            await self.device(self.user()),
        )
        await sender.send(recipient.user, "c1", "secret text")
        deliver = await recipient.expect("deliver")
        await recipient.send_frame(
            delivered=pb.Delivered(conversation=deliver.conversation, seq=deliver.seq)
        )
        message_id = str(deliver.message_id)

        async def confirmed() -> bool:
            return bool(stages(await self.where(message_id), "delivered"))

        await eventually("the recipient has confirmed it", confirmed)
        life = await self.where(message_id)
        found = [s["stage"] for s in life["stages"]]
        self.assertEqual(
            found,
            [
                *("received", "accepted", "stored", "pushed"),
                *("written", "written", "answered", "delivered"),
            ],
        )
        self.assertEqual(life["missing"], [])
        self.assertIsNone(life["forgotten_before"])
        self.assertEqual(
            {s["user"] for s in stages(life, "written")}, {sender.user, recipient.user}
        )
        self.assertEqual(stages(life, "answered")[0]["code"], "accepted")
        (delivered,) = stages(life, "delivered")
        self.assertEqual(delivered["seq"], deliver.seq)
        self.assertGreater(delivered["time"], life["message"]["time"])
        self.assertEqual([s for s in life["stages"] if s["time"] is None], [])
        self.assertEqual(life["notes"], [])
        self.assertEqual(stages(life, "received")[0]["device"], "phone")
        place = await self.where(deliver.conversation, str(deliver.seq))
        self.assertEqual(place["stages"], life["stages"])
        named = await self.where(str(sender.user), "c1")
        self.assertEqual(named["message"], life["message"])
        self.assertEqual(named["stages"], life["stages"])
        status, text = await self.run_where(message_id)
        self.assertEqual(status, 0)
        self.assertIn("the sender was answered: accepted", text)
        self.assertNotIn("secret text", text)

    @with_daemons
    async def test_offline(self) -> None:
        """
        For a message to a user who is not online, it says that nobody wrote it.
        """
        sender, other = await self.device(self.user()), self.user()
        await sender.send(other, "c1", "secret text")
        conversation = conversation_of(sender.user, other)
        await eventually("it is stored", lambda: self.is_stored(conversation))
        life = await self.where(conversation, "1")
        self.assertEqual({s["user"] for s in stages(life, "written")}, {sender.user})
        self.assertIn(f"User {other} has not confirmed it", life["notes"][0])
        self.assertIn("was not online", life["notes"][0])

    async def is_stored(self, conversation: str) -> bool:
        status, _ = await self.run_where(conversation, "1")
        return status == 0

    @with_daemons
    async def test_group(self) -> None:
        """
        In a group, each member who was sent the message is told apart: by whose session
        it was written, and who is not online.
        """
        sender = await self.device(self.user())
        member = await self.device(self.user())
        away = self.user()
        new = pb.CreateGroup(client_id="g", name="g", members=[member.user, away])
        await sender.send_frame(create_group=new)
        made = await sender.expect("deliver")
        group = int(made.conversation.removeprefix("g:"))
        await sender.send_frame(
            send=pb.Send(client_id="c1", group=group, content="secret text")
        )
        deliver = await member.expect("deliver", seq=2)
        life = await self.where(deliver.conversation, "2")
        self.assertEqual(
            {s["user"] for s in stages(life, "written")}, {sender.user, member.user}
        )
        notes = [note for note in life["notes"] if f"User {away} " in note]
        self.assertIn("was not online", notes[0])

    @with_daemons
    async def test_rejected(self) -> None:
        """
        A send that was rejected is known by its sender and client id, with the reason.
        """
        sender = await self.device(self.user())
        await sender.send_frame(
            send=pb.Send(client_id="c1", group=999_999, content="secret text")
        )
        await sender.expect("rejected")
        life = await self.where(str(sender.user), "c1")
        self.assertIsNone(life["message"])
        self.assertEqual([s["stage"] for s in life["stages"]], ["received", "answered"])
        self.assertEqual(life["stages"][1]["code"], "forbidden")
        self.assertIn("It was rejected as forbidden", life["notes"][0])

    @with_daemons
    async def test_never_was(self) -> None:
        """
        For what never was it says so and fails; bad arguments are named.
        """
        for words, reason in (
            (("12345",), "there is no message 12345: no node that answered"),
            (("1", "never"), "there is no message 'never' of user 1"),
            (("u:1:2", "7"), "there is no message 7 of u:1:2"),
            (("abc",), "message_id must be an integer"),
            (("u:2:1", "7"), "'u:2:1' is not a conversation of two users"),
            (("g:0", "7"), "'g:0' is not the conversation of a group"),
            (("1", "2", "3"), "name a message by its id"),
        ):
            status, text = await self.run_where(*words)
            self.assertNotEqual(status, 0, text)
            self.assertIn(reason, text)


class WhereOfManyTests(WhereCase):
    """
    Two Connects.
    """

    alone = True

    def installed(self) -> None:
        installation = self.installation
        names = [f"connect-2.{listener}" for listener in _LISTENERS]
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        ports["upstream"] = installation.ports["upstream"]
        self.second = DaemonProcess("connect-2", installation.folder, ports)
        installation.connect.extra |= {"node": "one"}
        self.second.extra |= {"node": "two"}
        self.at_end(self.second.kill)

    async def begin(self) -> tuple[Device, Device]:
        """
        Start all daemons.

        @return: a device at each Connect.
        """
        await self._running()
        await self.second.start()
        await self.second.ready()
        url = f"ws://127.0.0.1:{self.second.port('listen')}/api/v1/connect/ws"
        return await self.device(self.user()), await self.device(self.user(), url=url)

    @with_daemons
    async def test_restarted_message(self) -> None:
        """
        A Message that was restarted still knows what is stored, by all names of the
        message, and says what it has forgotten.
        """
        sender, recipient = await self.begin()
        await sender.send(recipient.user, "c1", "secret text")
        deliver = await recipient.expect("deliver")
        await recipient.send_frame(
            read=pb.Read(conversation=deliver.conversation, seq=deliver.seq)
        )

        async def is_read() -> bool:
            life = await self.where(str(deliver.message_id))
            return bool(stages(life, "read"))

        await eventually("the recipient has read it", is_read)
        message = self.installation.message
        await message.kill()
        await message.start()

        async def all_answer() -> bool:
            status, output = await self.run_where(str(sender.user), "c1", "--json")
            return status == 0 and len(json.loads(output)["nodes"]) == 3

        await eventually("both Connects are back", all_answer)
        life = await self.where(str(sender.user), "c1")
        self.assertEqual(life["message"]["message_id"], deliver.message_id)
        self.assertEqual(stages(life, "pushed"), [])
        self.assertEqual({s["node"] for s in stages(life, "written")}, {"one", "two"})
        (delivered,) = stages(life, "delivered")
        self.assertIsNone(delivered["time"])
        self.assertIn("is not known any more", life["notes"][0])
        self.assertGreater(life["forgotten_before"], life["message"]["time"])

    @with_daemons
    async def test_two(self) -> None:
        """
        Each Connect tells its part; one that does not answer is named, and one that was
        restarted has forgotten its part, and says so.
        """
        sender, recipient = await self.begin()
        await sender.send(recipient.user, "c1", "secret text")
        deliver = await recipient.expect("deliver")
        message_id = str(deliver.message_id)
        life = await self.where(message_id)
        self.assertEqual(
            {(s["node"], s["user"]) for s in stages(life, "written")},
            {("one", sender.user), ("two", recipient.user)},
        )
        await self.second.signal(signal.SIGSTOP)
        port = self.installation.message.port("listen")
        try:
            # Not by the command: on a busy machine it takes longer to start than a
            # Connect may be silent before it counts as gone.
            _, life = await http_get(port, f"/api/v1/messages/{message_id}/life")
        finally:
            await self.second.signal(signal.SIGCONT)
        self.assertEqual([m["node"] for m in life["missing"]], ["two"])
        self.assertEqual([s["node"] for s in stages(life, "written")], ["one"])
        await self.second.kill()
        await self.second.start()
        await self.second.ready()

        async def answered() -> bool:
            life = await self.where(message_id)
            return {"one", "two"} <= {node["node"] for node in life["nodes"]}

        await eventually("the new Connect answers", answered)
        life = await self.where(message_id)
        self.assertGreater(life["forgotten_before"], life["message"]["time"])
        self.assertIn("is forgotten", life["notes"][0])
