"""
Tests for L{wsmsg.message.queries.queries}.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from tests.message.doubles import MemoryStore
from tests.message.ingress.test_contacts import FakeHook
from tests.message.presence.doubles import RecordingPresence
from tests.message.store.consent_contract import block
from wsmsg.errors import Forbidden, NotFound, Unavailable
from wsmsg.message.consent.sight import Sight
from wsmsg.message.links.routes import Routes
from wsmsg.message.queries.interface import (
    ConversationPage,
    HeadsPage,
    PushedNumber,
    UnreadPage,
)
from wsmsg.message.queries.queries import MOST_MARKS, MOST_USERS, Queries
from wsmsg.model import Cursor, Mark, Message
from wsmsg.settings.values import ConsentSettings

T = TypeVar("T")


class QueriesTests(SynchronousTestCase):
    """
    Pages, heads, unread messages, marks and presence.
    """

    def setUp(self) -> None:
        self.store = MemoryStore()
        self.routes = Routes()
        self.presence = RecordingPresence()
        self.hook = FakeHook()
        hook: Any = self.hook
        self.sight = Sight(self.store, ConsentSettings(), hook, lambda: 0.0)
        self.queries = Queries(
            self.store, self.presence, self.routes, page=3, sight=self.sight
        )
        for seq in range(1, 6):
            m = Message("u:1:2", 1, f"c{seq}", seq, "hi", 1, 5, seq)
            self.store.messages[m.identity] = m

    def answer(self, asking: Coroutine[Any, Any, T]) -> T:
        """
        Return the answer to a query.
        """
        return self.successResultOf(Deferred.fromCoroutine(asking))

    def page(self, after: int = 0) -> ConversationPage:
        return self.answer(self.queries.page(1, "u:1:2", after, 0))

    def test_page(self) -> None:
        """
        A page has the messages after a seq, and tells whether there are more.
        """
        page = self.page()
        self.assertEqual([m.seq for m in page.messages], [1, 2, 3])
        self.assertEqual((page.head, page.more), (5, True))
        page = self.page(after=3)
        self.assertEqual([m.seq for m in page.messages], [4, 5])
        self.assertFalse(page.more)
        page = self.page(after=5)
        self.assertEqual((list(page.messages), page.head, page.more), ([], 5, False))

    def test_consent_heads(self) -> None:
        """
        For the one who blocked, a conversation ends before what is withheld, in its
        page, in lists and in comparisons; without the rest, it is in no list.
        """
        self.store.consent.apply(block(1, user=1))
        rest = [Message("u:1:2", 1, f"w{n}", n, "", 1, 5, n, "", 6) for n in (6, 7)]
        rest.append(Message("u:2:3", 3, "w", 8, "", 1, 5, 1, "", 1))
        self.store.messages.update((m.identity, m) for m in rest)
        asking = self.queries.heads(2, "", 0, continued=False)
        heads = self.answer(asking).heads
        self.assertEqual([(h.conversation, h.head) for h in heads], [("u:1:2", 5)])
        asking = self.queries.heads(1, "", 0, continued=False)
        self.assertEqual([h.head for h in self.answer(asking).heads], [7])
        page = self.answer(self.queries.page(2, "u:1:2", 5, 0))
        self.assertEqual((list(page.messages), page.head, page.more), ([], 5, False))
        pushed = [PushedNumber(2, "u:1:2", 5), PushedNumber(1, "u:1:2", 7)]
        compared = self.answer(self.queries.compare(self.store.epoch, pushed))
        self.assertEqual(list(compared.heads), [5, 7])

    def test_not_a_member(self) -> None:
        """
        A user reads only conversations that they are in.
        """
        for user, name, error in ((3, "u:1:2", Forbidden), (1, "nonsense", NotFound)):
            asking = Deferred.fromCoroutine(self.queries.page(user, name, 0, 0))
            self.failureResultOf(asking, error)

    def unread(
        self, user: int = 2, position: str = "", limit: int = 0, after: int = 0
    ) -> UnreadPage:
        return self.answer(self.queries.unread(user, position, limit, after=after))

    def test_unread(self) -> None:
        """
        Unread messages come page by page, and are counted apart from that.
        """
        first = self.unread()
        self.assertEqual([m.seq for m in first.messages], [1, 2, 3])
        self.assertTrue(first.more)
        last = self.unread(position=first.position)
        self.assertEqual([m.seq for m in last.messages], [4, 5])
        self.assertFalse(last.more)
        self.assertEqual(len(self.unread(limit=2).messages), 2)
        self.assertEqual(len(self.unread(user=1).messages), 0)
        for user, total in ((2, 5), (1, 0)):
            self.assertEqual(self.answer(self.queries.unread_total(user)), total)

    def test_unread_behind_an_id(self) -> None:
        """
        A Connect that knows no positions names the last message that it had; if that
        was read meanwhile, the list begins again.
        """
        last = self.unread(after=3)
        self.assertEqual([m.seq for m in last.messages], [4, 5])
        self.assertFalse(last.more)
        middle = self.unread(after=2, limit=2)
        self.assertEqual([m.seq for m in middle.messages], [3, 4])
        again = self.unread(after=77)
        self.assertEqual([m.seq for m in again.messages], [1, 2, 3])

    def test_mark(self) -> None:
        """
        The answer tells for each mark whether its message is known.
        """
        given: list[tuple[int, Sequence[Mark]]] = []

        def marking(user: int, marks: Sequence[Mark]) -> Deferred[list[bool]]:
            given.append((user, marks))
            return succeed([m.message_id < 6 for m in marks])

        queries = Queries(self.store, self.presence, self.routes, page=3, mark=marking)
        marks = [Mark(2, 9), Mark(2, 4, "u:1:2", 4)]
        self.assertEqual(self.answer(queries.mark(2, marks)), [False, True])
        self.assertEqual(given, [(2, marks)])
        many = Deferred.fromCoroutine(queries.mark(2, marks * MOST_MARKS))
        self.failureResultOf(many, NotFound)

    def test_no_marks(self) -> None:
        """
        Marks are refused where nothing stores them.
        """
        asking = Deferred.fromCoroutine(self.queries.mark(2, [Mark(2, 9)]))
        self.failureResultOf(asking, NotFound)

    def heads(self, position: str = "", limit: int = 0) -> HeadsPage:
        asking = self.queries.heads(1, position, limit, continued=True)
        return self.answer(asking)

    def test_heads(self) -> None:
        """
        A head has the cursors of the user who asks and of the other member.
        """
        self.store.moved = {
            ("u:1:2", 1): Cursor("u:1:2", 1, 4, 2),
            ("u:1:2", 2): Cursor("u:1:2", 2, 5, 5),
        }
        [head] = self.heads().heads
        self.assertEqual((head.head, head.delivered, head.read), (5, 4, 2))
        self.assertEqual(head.others, (Cursor("u:1:2", 2, 5, 5),))

    def test_unread_of_a_head(self) -> None:
        """
        A head has the number of messages of others that the user has not read.
        """
        self.assertEqual([head.unread for head in self.heads().heads], [0])
        found = self.answer(self.queries.heads(2, "", 0, continued=True))
        self.assertEqual([head.unread for head in found.heads], [5])
        self.store.moved["u:1:2", 2] = Cursor("u:1:2", 2, 5, 3)
        found = self.answer(self.queries.heads(2, "", 0, continued=True))
        self.assertEqual([head.unread for head in found.heads], [2])

    def test_more_heads(self) -> None:
        """
        A list of heads is bounded, and tells that there are more.
        """
        self.converse_with(range(3, 9))
        page = self.heads(limit=50)
        self.assertEqual(len(page.heads), 3)
        self.assertTrue(page.more)

    def test_heads_go_on(self) -> None:
        """
        A list that continues at the position of a page begins with the next
        conversation.
        """
        self.converse_with(range(3, 9))
        names: list[str] = []
        position = ""
        for _ in range(3):
            page = self.heads(position)
            names += [head.conversation for head in page.heads]
            position = page.position
        self.assertEqual(names, [f"u:1:{other}" for other in range(2, 9)])
        self.assertFalse(page.more)

    def converse_with(self, others: range) -> None:
        """
        Store a message of user 1 to each of these users.
        """
        for other in others:
            m = Message(f"u:1:{other}", 1, "c", other, "hi", 1, 5, 1)
            self.store.messages[m.identity] = m

    def online(self, *users: int) -> list[tuple[int, bool]]:
        """
        Return the users with whether they are online.
        """
        known = self.answer(self.queries.presence(users))
        return [(p.user, p.online) for p in known]

    def test_presence(self) -> None:
        """
        A user with a route is online.
        """
        self.routes.change("n", [2], [])
        self.assertEqual(self.online(1, 2), [(1, False), (2, True)])

    def test_row_14_hidden_presence(self) -> None:
        """
        Presence is marked as hidden from the user whom the other has blocked, and from
        nobody else; without blocks, the store is not asked.
        """
        self.routes.change("n", [2], [])
        self.assertFalse(self.queries.hides_presence)
        self.store.apply([block(1, user=1, by=2)])
        self.assertTrue(self.queries.hides_presence)
        for asker, hidden in ((1, [False, True]), (3, [False] * 2), (2, [False] * 2)):
            known = self.answer(self.queries.presence([1, 2], asker))
            self.assertEqual([p.hidden for p in known], hidden)
        known = self.answer(self.queries.presence([1, 2]))
        self.assertEqual([p.online for p in known], [False, True])
        self.assertEqual([p.hidden for p in known], [False, False])

    def hidden(self, asker: int, *users: int) -> list[int]:
        """
        Return those of the users whose presence is hidden from one.
        """
        known = self.answer(self.queries.presence(users, asker))
        return [p.user for p in known if p.hidden]

    def test_row_14_shared_presence(self) -> None:
        """
        With C{shared}, a user sees those with a common conversation or group, and
        nobody else; without a rule, everybody.
        """
        self.assertEqual(self.hidden(1, 2, 3, 4), [])
        self.sight.apply_settings(ConsentSettings(presence="shared"))
        self.assertEqual(self.hidden(1, 1, 2, 3, 4), [3, 4])
        self.assertEqual(self.hidden(3, 1, 2), [1, 2])

    def test_row_14_hook(self) -> None:
        """
        With C{hook}, a user sees those of whom the hook says so, and its answers are
        used for a while; without an answer nobody, or everybody with C{open}.
        """
        rule: dict[str, Any] = {"presence": "hook", "hook_url": "http://hook"}
        self.sight.apply_settings(ConsentSettings(**rule))
        self.hook.allow = {3}
        self.assertEqual(self.hidden(1, 2, 3), [2])
        self.assertEqual(self.hidden(1, 2, 3), [2])
        self.assertEqual(self.hook.calls, [(1, (2, 3))])
        self.hook.allow = None
        self.assertEqual(self.hidden(1, 2, 3, 4), [2, 4])
        self.sight.apply_settings(ConsentSettings(**rule, hook_fail="open"))
        self.assertEqual(self.hidden(1, 2, 3, 4), [2])

    def test_presence_down(self) -> None:
        """
        While user state cannot be read, a user with a route is online all the same.
        """
        self.presence.look_up = lambda users: fail(Unavailable("down"))  # type: ignore[method-assign]
        self.routes.change("n", [2], [])
        self.assertEqual(self.online(1, 2), [(1, False), (2, True)])

    def test_too_many_users(self) -> None:
        """
        A query for the presence of too many users is refused.
        """
        asking = Deferred.fromCoroutine(self.queries.presence([1] * (MOST_USERS + 1)))
        self.failureResultOf(asking, NotFound)
