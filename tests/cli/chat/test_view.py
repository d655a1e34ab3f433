"""
Tests for the lines of the chat.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from wsmsg.cli.chat.view import ChatView
from wsmsg.client import BlockChanged, GroupChanged, InvitationReceived

_NAMES = {1: "anna", 2: "berta", 3: "carl"}


class NameTests(SynchronousTestCase):
    """
    Lines about what others did have the names of users.
    """

    def told(self, kind: type[Any], conversation: str, **said: Any) -> str:
        """
        Return the line about an event in the chat of the group 5.
        """
        view = ChatView("g:5", lambda: 0.0, lambda user: _NAMES.get(user, str(user)))
        common = {"message_id": 1, "time_ms": 1, "client_id": "", "mine": False}
        view.event(kind(conversation=conversation, seq=1, sender=1, **common, **said))
        (entry,) = view.entries
        return entry.text

    def test_group(self) -> None:
        """
        Changes of the group have the names of all users in them, if they have names.
        """
        for said, line in (
            ({"created": True, "name": "Us", "added": (1, 2, 9)}, "with berta, 9"),
            (
                {"added": (2, 9), "removed": (3,)},
                "anna added berta, 9 and removed carl",
            ),
            ({"removed": (1,)}, "anna left"),
            ({"added": (1,)}, "anna joined"),
        ):
            self.assertIn(line, self.told(GroupChanged, "g:5", **said))

    def test_elsewhere(self) -> None:
        """
        So have the lines about other conversations.
        """
        told = self.told(InvitationReceived, "u:1:2", group=7)
        self.assertEqual(told, "in you anna sent an invitation to the group 7")
        told = self.told(GroupChanged, "g:7", added=(3,))
        self.assertEqual(told, "in group 7 anna added carl")

    def test_block(self) -> None:
        """
        A block that was made on another device has the name of the user.
        """
        self.assertEqual(
            self.told(BlockChanged, "g:5", user=2, group=0, on=True),
            "you blocked user berta",
        )
