"""
The rule about whom users may begin to reach, C{consent.contact}, in ingress.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from types import SimpleNamespace
from typing import Any

from twisted.internet.task import Clock

from tests.message.ingress.group_case import GroupCase
from wsmsg.errors import Forbidden, Unavailable, WsmsgError
from wsmsg.events.group_change import GROUP, GroupChange, encode_change
from wsmsg.events.invitation import INVITATION, encode_invitation
from wsmsg.message.cluster.message_ids import EPOCH_MS
from wsmsg.message.consent.contacts import Contacts
from wsmsg.message.consent.hook import HookFailed
from wsmsg.message.consent.sharing import ANSWERED_S
from wsmsg.message.ingress.group_rules import GroupRules
from wsmsg.message.ingress.ingress import Ingress
from wsmsg.message.ingress.interface import SendRequest
from wsmsg.message.log.appends import Appends
from wsmsg.model import TEXT, Message, conversation_of
from wsmsg.settings.values import ConsentSettings


class FakeHook:
    """
    A hook that answers at once.

    @ivar allow: whom anybody may reach; L{None}: the hook fails.
    """

    def __init__(self) -> None:
        self.allow: set[int] | None = set()
        self.calls: list[tuple[int, tuple[int, ...]]] = []

    async def allowed(
        self,
        settings: ConsentSettings,
        user: int,
        others: Sequence[int],
        *,
        question: str = "contact",
    ) -> frozenset[int]:
        self.calls.append((user, tuple(others)))
        if self.allow is None:
            raise HookFailed("no answer")
        return frozenset(self.allow)


class ContactTests(GroupCase):
    """
    User 1 owns the crew, and user 2 is a member; nobody has written to anybody.
    """

    def begin(self, **rule: str) -> None:
        """
        Use a rule.
        """
        self.hook = FakeHook()

        def seconds() -> float:
            return (self.now - EPOCH_MS) / 1000

        settings = ConsentSettings(**dict[str, Any](rule))
        hook: Any = self.hook
        self.contacts = Contacts(self.store, settings, hook, seconds)
        rules = GroupRules(
            self.store, self.now_ms, group_members=5, recall_s=60, shared=False
        )
        self.ingress = Ingress(
            Appends(self.journal, self.store, self.clock),
            self.store,
            self.ids,
            self.now_ms,
            rules=rules,
            limit=20,
            content_bytes=100,
            seconds=seconds,
            contacts=self.contacts,
        )

    def setUp(self) -> None:
        super().setUp()
        numbers = count(1)
        self.ids: Any = SimpleNamespace(next=lambda: next(numbers))
        self.clock = Clock()

    def ask(
        self, to: str, sender: int, kind: int = TEXT, content: str = "hi", by: str = "c"
    ) -> int | WsmsgError:
        client_id = f"q{len(self.answers)}"
        request = SendRequest(
            0, sender, client_id, to, content, kind, by, by_user=bool(by)
        )
        self.ingress.accept([request], self.reply)
        while self.journal.appends:
            self.journal.appends.pop(0)[1].callback(None)
        self.clock.advance(1)
        return self.answers[client_id]

    def write(self, sender: int, to: int, by: str = "c") -> int | WsmsgError:
        return self.ask(conversation_of(sender, to), sender, by=by)

    def test_consent_everyone(self) -> None:
        """
        Without a rule, everyone writes to everyone, and the store is not asked.
        """
        self.begin()
        self.assertIsInstance(self.write(1, 9), int)

    def test_consent_shared(self) -> None:
        """
        Users begin to reach those with whom they share a group, and answer others; a
        service writes for anybody.
        """
        self.begin(contact="shared")
        self.assertIsInstance(self.write(1, 2), int)
        self.assertIsInstance(self.write(1, 9), Forbidden)
        self.assertIsInstance(self.write(1, 9, by=""), int)
        self.assertIsInstance(self.write(1, 1), int)
        first = Message("u:1:9", 9, "x", 7, "hi", TEXT, 5, 1)
        self.store.messages[first.identity] = first
        self.assertIsInstance(self.write(1, 9), int)

    def test_consent_strangers_in_groups(self) -> None:
        """
        Nobody gets around the rule by an addition to a group, or an invitation.
        """
        self.begin(contact="shared")
        change = encode_change(GroupChange(add=(9,)))
        self.assertIsInstance(self.ask("g:77", 1, GROUP, change), Forbidden)
        invitation = encode_invitation(77)
        refused = self.ask("u:1:9", 1, INVITATION, invitation)
        self.assertIsInstance(refused, Forbidden)

    def test_consent_hook(self) -> None:
        """
        The hook is asked when a conversation begins, and its answer used for a while.
        """
        self.begin(contact="hook", hook_url="http://hook")
        self.hook.allow = {8}
        self.assertIsInstance(self.write(1, 8), int)
        self.assertIsInstance(self.write(1, 9), Forbidden)
        self.hook.allow = {8, 9}
        self.assertIsInstance(self.write(1, 9), Forbidden)
        self.assertEqual(self.hook.calls, [(1, (8,)), (1, (9,))])
        self.now += int(ANSWERED_S * 1000) + 1
        self.assertIsInstance(self.write(1, 9), int)

    def test_consent_hook_fails(self) -> None:
        """
        Without an answer, the first message is refused for now, or allowed, as the
        operator chose.
        """
        self.begin(contact="hook", hook_url="http://hook")
        self.hook.allow = None
        refused = self.write(1, 9)
        assert isinstance(refused, Unavailable), refused
        self.assertGreater(refused.retry_after_ms, 0)
        self.begin(contact="hook", hook_url="http://hook", hook_fail="open")
        self.hook.allow = None
        self.assertIsInstance(self.write(1, 8), int)
