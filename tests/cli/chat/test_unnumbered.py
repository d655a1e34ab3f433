"""
Tests for the chat with a server without numbers.
"""

from __future__ import annotations

from tests.cli.chat.screen_case import ScreenCase
from tests.client.doubles import unnumbered_welcome
from wsmsg.cli.chat.target import ChatTarget
from wsmsg.protocol import frames
from wsmsg.protocol.frames import Deliver


class UnnumberedScreenTests(ScreenCase):
    """
    A chat of two users.
    """

    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.chat(ChatTarget(1, target=2))
        self.link = await self.server.connection(unnumbered_welcome())

    async def test_chat(self) -> None:
        """
        The chat says that there are no numbers, asks for no history, shows each message
        once, and reports the read ones.
        """
        one = Deliver("u:1:2", 0, 77, 2, "from two", 1, 1)
        self.link.give(one, one)
        read = await self.link.next(frames.Read)
        self.assertEqual((read.conversation, read.message_id), ("u:1:2", 77))
        self.keys.send_text("hello\r")
        sent = await self.link.next(frames.Send)
        self.link.give(frames.Accepted(sent.client_id, 1))
        self.keys.send_text("/recall 1\r")
        recall = await self.link.next(frames.Recall)
        self.link.give(
            frames.Rejected(recall.client_id, "unsupported", "there is none")
        )
        self.keys.send_text("x\r")
        await self.link.next(frames.Send)
        text = "\n".join(self.lines())
        self.assertIn("this server does not number messages", text)
        self.assertEqual(text.count("2: from two"), 1)
        self.assertIn("1: hello  \u2713", text)
        self.assertIn("/recall failed: unsupported: there is none", text)
        asked = [f for f in self.link.rest() if isinstance(f, frames.Sync)]
        self.assertEqual(asked, [])
        await self.quit()
