"""
Tests for the chat on a terminal: keys in, frames out.
"""

from __future__ import annotations

from typing import Any

from tests.cli.chat.screen_case import ScreenCase
from tests.client.doubles import FakeLink, welcome
from wsmsg.cli.chat.target import ChatTarget
from wsmsg.events.group_change import GROUP, GroupChange, encode_change
from wsmsg.names import group_of_key
from wsmsg.protocol import frames
from wsmsg.protocol.frames import Deliver

G = "g:5"


class ScreenTests(ScreenCase):
    """
    A chat in a group.
    """

    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.chat(ChatTarget(1, group=5))
        self.link = await self.server.connection(welcome())
        await self._history(self.link)

    async def _history(self, link: FakeLink) -> None:
        asked = await link.next(frames.Sync)
        made = encode_change(GroupChange(True, "Us", add=(1, 2)))
        messages = (
            Deliver(G, 1, 1, 2, made, GROUP, 1),
            Deliver(G, 2, 2, 1, "mine", 1, 2),
            Deliver(G, 3, 3, 7, "theirs", 1, 3),
        )
        while not self.running.done():
            link.give(frames.Page(asked.id, G, messages[asked.after :], 3))
            if asked.after == 0 and asked.limit != 1:
                return
            asked = await link.next(frames.Sync)

    async def test_shown(self) -> None:
        """
        Each line has its sender, and an own line its number.
        """
        self.keys.send_text("hello\r")
        frame = await self.link.next(frames.Send)
        self.assertEqual((frame.group, frame.to, frame.content), (5, 0, "hello"))
        day, *lines = self.lines()
        self.assertIn("1 January 1970", day)
        said = [line[6:] for line in lines]
        self.assertIn("2 made the group 'Us' with 1", said[0])
        self.assertIn("1: mine  \u2713 #2", said[1])
        self.assertIn("7: theirs", said[2])
        self.assertIn("group Us", self.screen._status())
        self.link.give(frames.Accepted(frame.client_id, 1))
        await self.quit()

    async def test_recall(self) -> None:
        """
        The last own message is recalled, or the one of the given number.
        """
        for typed, seq in (("/recall\r", 2), ("/recall 1\r", 1), ("/recall #2\r", 2)):
            self.keys.send_text(typed)
            frame = await self.link.next(frames.Recall)
            self.assertEqual((frame.conversation, frame.seq), (G, seq))
            self.link.give(frames.Rejected(frame.client_id, "forbidden", "too late"))
        self.keys.send_text("/recall what\r/members\r")
        asked = await self.link.next(frames.Members)
        self.assertIn("/recall takes the number", "".join(self.lines()))
        self.assertIn("/recall failed: forbidden: too late", "".join(self.lines()))
        self.link.give(frames.Error("forbidden", "gone", asked.id))
        await self.quit()

    async def test_members(self) -> None:
        """
        C{/members} lists the members of the group.
        """
        self.keys.send_text("/members\r")
        asked = await self.link.next(frames.Members)
        two = (frames.Member(1, 1), frames.Member(2, 1))
        self.link.give(frames.Group(asked.id, 5, "Us", 2, False, 60, two, True))
        asked = await self.link.next(frames.Members)
        self.link.give(frames.Group(asked.id, 5, "Us", 2, False, 2))
        self.keys.send_text("x\r")
        await self.link.next(frames.Send)
        self.assertIn("Us: 1, 2; owner 2", "".join(self.lines()))
        await self.quit()

    async def test_invite(self) -> None:
        """
        C{/invite} takes the number or the name of a user, and says what it cannot take.
        """
        for typed, wanted in (("7", (7, "")), ("anna@x", (0, "anna@x"))):
            self.keys.send_text(f"/invite {typed}\r")
            frame = await self.link.next(frames.Invite)
            self.assertEqual((frame.user, frame.user_name, frame.group), (*wanted, 5))
            self.link.give(frames.Accepted(frame.client_id, 5))
        self.keys.send_text("/invite 007\r")
        self.keys.send_text("x\r")
        await self.link.next(frames.Send)
        told = "".join(self.lines())
        self.assertIn("invited anna@x", told)
        self.assertIn("/invite takes the number or the name of a user", told)
        await self.quit()

    async def test_unknown_command(self) -> None:
        """
        A line that begins with a slash and is no command is not sent; one that begins
        with two slashes is, with one of them.
        """
        self.keys.send_text("/qiut\r")
        self.keys.send_text("/invitations x y\r")
        await self.link.next(frames.Invitations)
        self.assertIn("there is no command /qiut", "".join(self.lines()))
        self.keys.send_text("//etc/hosts\r")
        frame = await self.link.next(frames.Send)
        self.assertEqual(frame.content, "/etc/hosts")
        await self.quit()

    async def test_help(self) -> None:
        """
        C{/help} lists the commands that make sense in the chat.
        """
        self.keys.send_text("/help\r/invitations\r")
        await self.link.next(frames.Invitations)
        told = "\n".join(self.lines())
        for line in ("/members ", "/history [N] ", "/quit ", "Alt-Enter"):
            self.assertIn(line, told)
        await self.quit()

    async def test_completed(self) -> None:
        """
        Tab completes the name of a command.
        """
        await self.type("/mem\t", "/members")
        self.keys.send_text("\r")
        asked = await self.link.next(frames.Members)
        self.link.give(frames.Error("forbidden", "gone", asked.id))
        await self.quit()

    async def test_lines(self) -> None:
        """
        Pasted lines are one message, and so is a line that Alt-Enter ended.
        """
        await self.type("\x1b[200~one\ntwo\x1b[201~", "one\ntwo")
        await self.type("\x1b\r", "one\ntwo\n")
        self.keys.send_text("three\r")
        frame = await self.link.next(frames.Send)
        self.assertEqual(frame.content, "one\ntwo\nthree")
        shown = [line.strip() for line in self.lines()]
        self.assertEqual(shown[-2:], ["two", "three  \u2026"])
        await self.quit()

    async def test_older(self) -> None:
        """
        C{/history N} shows so many messages before the first one.
        """
        self.screen.view.entries.clear()
        self.screen.view.first = 3
        self.keys.send_text("/history 1\r")
        asked = await self.link.next(frames.Sync)
        self.assertEqual((asked.after, asked.limit), (1, 1))
        self.link.give(frames.Page(asked.id, G, (Deliver(G, 2, 2, 7, "old", 1, 2),), 3))
        self.keys.send_text("/invitations\r")
        await self.link.next(frames.Invitations)
        self.assertIn("7: old", "".join(self.lines()))
        self.assertEqual(self.screen.view.first, 2)
        await self.quit()

    async def test_busy(self) -> None:
        """
        The status tells a server that is busy from one that is away.
        """
        self.keys.send_text("hello\r")
        frame = await self.link.next(frames.Send)
        self.link.give(frames.Rejected(frame.client_id, "unavailable", "disk", 60_000))
        self.keys.send_text("/invitations\r")
        await self.link.next(frames.Invitations)
        self.assertIn("connected, but the server is busy: disk", self.screen._status())
        await self.quit()

    async def test_leaving(self) -> None:
        """
        A user who leaves while a message is not accepted is asked, and may stay.
        """
        self.keys.send_text("hello\r")
        frame = await self.link.next(frames.Send)
        self.keys.send_text("\x03n/invitations\r")
        await self.link.next(frames.Invitations)
        self.assertFalse(self.running.done())
        self.assertIn("1 message is not accepted yet", self.screen._question())
        self.link.give(frames.Accepted(frame.client_id, 1))
        await self.client.caught_up()
        self.keys.send_text("/quit\r")
        await self.running
        last = self.screen.last_rows()[-1].fragments
        self.assertIn("hello", str(last))

    async def test_left(self) -> None:
        """
        A message that was not accepted when the user left stays with the client, which
        keeps it in its position file.
        """
        self.link.lose()
        self.keys.send_text("hello\r")
        link = await self.server.connection()
        self.keys.send_text("\x03y")
        await self.running
        self.assertEqual(self.client.unsent, 1)
        link.lose()
        await self.client.close()
        await self.screen.sends_ended()
        self.assertEqual(self.client.unsent, 1)


class TwoTests(ScreenCase):
    """
    A chat of two.
    """

    async def test_invitations(self) -> None:
        """
        C{/accept} and C{/decline} take the number or the id of a group.
        """
        self.chat(ChatTarget(1, 2))
        link = await self.server.connection(welcome())
        for typed, kind, group in (
            ("/accept 7", frames.AcceptInvitation, 7),
            ("/accept room/7", frames.AcceptInvitation, group_of_key("room/7")),
            ("/decline room/7", frames.DeclineInvitation, group_of_key("room/7")),
        ):
            self.keys.send_text(typed + "\r")
            frame: Any = await link.next(kind)
            self.assertEqual(frame.group, group)
            link.give(frames.Accepted(frame.client_id, 5))
        self.keys.send_text("/quit\r")
        await self.running
