"""
Contents of group changes and recalls, whatever a hostile peer makes of them.
"""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.message.store.group_contract import CREW, changed
from wsmsg.connect.session.registry import to_deliver
from wsmsg.events.group_change import GROUP, decode_change, encode_change
from wsmsg.events.kind import InvalidContent
from wsmsg.events.recall import RECALL, decode_recall
from wsmsg.message.http.messages import view
from wsmsg.message.ingress.interface import SendRequest
from wsmsg.message.ingress.validation import validate
from wsmsg.model import INT64_MAX, TEXT, Message, group_conversation, group_of

_users = st.lists(st.integers(-3, 2**64), max_size=4)


class HostileContentTests(SynchronousTestCase):
    """
    Contents from a hostile peer.
    """

    def check(self, content: str) -> None:
        """
        Check that a content is a valid change or is refused, and that nothing else
        fails.
        """
        group = group_conversation(group_of(1, "c"))
        request = SendRequest(0, 1, "c", group, content, GROUP)
        try:
            change = decode_change(content)
        except InvalidContent as e:
            self.assertLess(len(str(e)), 300)
            self.assertIsNotNone(validate(request, 100))
            return
        self.assertTrue(all(0 < u < 2**63 for u in (*change.add, *change.remove)))
        self.assertFalse(set(change.add) & set(change.remove))
        self.assertEqual(decode_change(encode_change(change)), change)

    @given(st.text() | st.text("[]{}\"':,0129addremovecreatedtruefalse"))
    def test_any_text(self, content: str) -> None:
        """
        Any text is refused or decoded, as a change and as a recall.
        """
        self.check(content)
        self.assertGreaterEqual(decode_recall(content), 0)

    @given(
        st.fixed_dictionaries(
            {},
            optional={
                "created": st.booleans() | st.none(),
                "name": st.text() | st.integers(),
                "history": st.booleans() | st.text(),
                "add": _users | st.text(),
                "remove": _users | st.floats(allow_nan=False, allow_infinity=False),
                "else": st.text(),
            },
        )
    )
    def test_any_fields(self, fields: dict[str, object]) -> None:
        """
        Any fields are refused or decoded.
        """
        self.check(msgspec.json.encode(fields).decode())

    def test_edges(self) -> None:
        """
        Deeply nested, long and truncated contents are refused.
        """
        for content in ("[" * 10**6, '{"add":[' + "1," * 10**5, "\ud800", "\0", "null"):
            self.check(content)
        self.check(changed(1, add=[2**63]).content)


class ShownContentTests(SynchronousTestCase):
    """
    Contents of events as clients receive them.
    """

    def shown(self, *users: int) -> list[object]:
        """
        Return the users of a change that adds them and removes them, as a parser of
        JSON finds them in what a client receives.
        """
        change = changed(5, add=users, remove=(7, 2**62))
        content = to_deliver(change, 1).content
        self.assertEqual(view(change).content, content)
        self.assertEqual(decode_change(content).add, users)
        fields = msgspec.json.decode(content)
        self.assertEqual(fields["remove"], [7, str(2**62)])
        added: list[object] = fields["add"]
        return added

    def test_large_users(self) -> None:
        """
        Users above 2^53 are strings, which JavaScript does not round.
        """
        exact = 2**53
        large = [str(exact + 1), str(INT64_MAX)]
        self.assertEqual(self.shown(5, exact), [5, exact])
        self.assertEqual(self.shown(5, exact, *map(int, large)), [5, exact, *large])

    def test_others_are_unchanged(self) -> None:
        """
        Other contents are sent as they are, whatever digits they have.
        """
        text = '{"add": [9007199254740993]}'
        for kind in (TEXT, RECALL, 1500):
            message = Message("u:1:2", 1, "c", 7, text, kind, 5, 1)
            self.assertEqual(to_deliver(message, 1).content, text)
        broken = Message(CREW, 1, "c", 7, text[:-1], GROUP, 5, 1)
        self.assertEqual(to_deliver(broken, 1).content, text[:-1])
