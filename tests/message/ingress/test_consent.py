"""
Blocks, invitations and additions to groups, as ingress judges them.
"""

from __future__ import annotations

import msgspec

from tests.message.ingress.group_case import GroupCase
from tests.message.store.consent_contract import block, invited
from tests.message.store.group_contract import CREW
from wsmsg.errors import BadRequest, Conflict, Forbidden, NotFound, TooLarge, WsmsgError
from wsmsg.events.block import BLOCK, encode_block
from wsmsg.events.group_change import GROUP, GroupChange, encode_change
from wsmsg.events.invitation import DECLINE, INVITATION, encode_invitation
from wsmsg.message.ingress.interface import SendRequest
from wsmsg.model import Message, conversation_of, group_conversation, group_of
from wsmsg.settings.values import ConsentSettings

NUMBER = int(CREW[2:])


class ConsentTests(GroupCase):
    """
    User 1 owns the crew, and user 2 is a member.
    """

    def ask(
        self,
        kind: int,
        content: str,
        conversation: str,
        sender: int,
        connect: str = "connect-1",
    ) -> int | WsmsgError:
        """
        Return the answer to a request.
        """
        client_id = f"q{len(self.answers)}"
        request = SendRequest(
            0, sender, client_id, conversation, content, kind, connect
        )
        self.ingress.accept([request], self.reply)
        while self.journal.appends:
            self.journal.appends.pop(0)[1].callback(None)
        return self.answers[client_id]

    def block(
        self, user: int = 0, group: int = 0, on: bool = True, by: int = 2
    ) -> object:
        return self.ask(BLOCK, encode_block(user, group, on), f"u:{by}:{by}", by)

    def add(self, *users: int, by: int = 1, connect: str = "connect-1") -> object:
        change = encode_change(GroupChange(add=users))
        return self.ask(GROUP, change, CREW, by, connect)

    def invite(self, user: int, by: int = 1) -> object:
        pair = conversation_of(by, user)
        return self.ask(INVITATION, encode_invitation(NUMBER), pair, by)

    def decline(self, by: int) -> object:
        return self.ask(DECLINE, encode_invitation(NUMBER), f"u:{by}:{by}", by)

    def test_consent_blocks(self) -> None:
        """
        A user blocks others and groups, up to the limit; ending a block has none.
        """
        self.ingress.rules.consent = ConsentSettings(blocks=1)
        self.assertIsInstance(self.block(user=1), int)
        self.store.consent.apply(block(1, user=1))
        self.assertIsInstance(self.block(user=3), TooLarge)
        self.assertIsInstance(self.block(user=1, on=False), int)

    def test_consent_bad_blocks(self) -> None:
        """
        A block of oneself, of nobody, of two at once, or for another user is refused.
        """
        self.assertIsInstance(self.block(user=2), BadRequest)
        self.assertIsInstance(self.block(), BadRequest)
        for content, name in (
            ('{"user":1,"group":2,"on":true}', "u:2:2"),
            ('{"user":-1,"on":true}', "u:2:2"),
            ("[]", "u:2:2"),
            (encode_block(3, 0, True), "u:1:1"),
            (encode_block(3, 0, True), "u:1:2"),
        ):
            self.assertIsInstance(self.ask(BLOCK, content, name, 2), BadRequest)

    def test_consent_added(self) -> None:
        """
        Nobody is added to a group against a block of the group, or of who adds; both
        are refused with the same words.  A service may add anybody.
        """
        reasons = set()
        for seq, (user, group) in enumerate(((0, NUMBER), (1, 0)), 1):
            self.store.consent.apply(block(seq, by=3, user=user, group=group))
            refused = self.add(4, 3)
            assert isinstance(refused, Forbidden), refused
            reasons.add(refused.reason)
            ended = block(seq + 10, by=3, user=user, group=group, on=False)
            self.store.consent.apply(ended)
        self.assertEqual(reasons, {"you cannot add user 3 to this group"})
        self.store.consent.apply(block(30, by=3, user=1))
        self.assertIsInstance(self.add(3, connect=""), int)

    def test_consent_created(self) -> None:
        """
        A group is not created with somebody who has blocked its owner.
        """
        self.store.consent.apply(block(1, by=3, user=1))
        self.assertIsInstance(self.create("new", 1, 3), Forbidden)

    def create(self, client_id: str, owner: int, *members: int) -> object:
        change = encode_change(GroupChange(True, "g", add=(owner, *members)))
        request = SendRequest(
            0,
            owner,
            client_id,
            group_conversation(group_of(owner, client_id)),
            change,
            GROUP,
            "connect-1",
        )
        self.ingress.accept([request], self.reply)
        while self.journal.appends:
            self.journal.appends.pop(0)[1].callback(None)
        return self.answers[client_id]

    def test_consent_invites_only(self) -> None:
        """
        Clients add nobody while users are to be invited, and services do.
        """
        self.ingress.rules.consent = ConsentSettings(groups="invite")
        self.assertIsInstance(self.add(3), Forbidden)
        self.assertIsInstance(self.create("new", 1, 3), Forbidden)
        self.assertIsInstance(self.create("alone", 1), int)
        self.assertIsInstance(self.add(3, connect=""), int)
        self.assertIsInstance(self.invite(3), int)

    def test_consent_invited(self) -> None:
        """
        The owner invites users who are not members; others may not.
        """
        self.assertIsInstance(self.invite(3), int)
        self.assertIsInstance(self.invite(2), Conflict)
        self.assertIsInstance(self.invite(3, by=2), Forbidden)
        self.assertIsInstance(self.invite(3, by=4), WsmsgError)

    def test_consent_most_invitations(self) -> None:
        """
        A user has so many open invitations at most; who blocked the sender is not
        counted, so that the sender learns nothing.
        """
        self.ingress.rules.consent = ConsentSettings(invitations=1)
        self.store.consent.apply(self.now_invited())
        self.assertIsInstance(self.invite(3), TooLarge)
        self.store.consent.apply(block(1, by=3, user=1))
        self.assertIsInstance(self.invite(3), int)

    def now_invited(self) -> Message:
        return msgspec.structs.replace(invited(500), time_ms=self.now)

    def test_consent_joined(self) -> None:
        """
        Only a user with an open invitation joins, even if the group is blocked, and
        joins alone; after its time, an invitation is void.
        """
        self.assertIsInstance(self.add(3, by=3), Forbidden)
        self.store.consent.apply(self.now_invited())
        self.store.consent.apply(block(1, by=3, group=NUMBER))
        self.assertIsInstance(self.add(3, 4, by=3), Forbidden)
        self.assertIsInstance(self.add(3, by=3), int)
        self.now += int(ConsentSettings().invitation_s * 1000) + 1
        self.assertIsInstance(self.add(3, by=3), Forbidden)

    def test_consent_declined(self) -> None:
        """
        Only an open invitation can be declined.
        """
        self.assertIsInstance(self.decline(3), NotFound)
        self.store.consent.apply(self.now_invited())
        self.assertIsInstance(self.decline(3), int)
