"""
Contents of group changes and recalls, whatever a hostile peer makes of them.
"""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.message.store.group_contract import changed
from wsmsg.events.group_change import GROUP, decode_change, encode_change
from wsmsg.events.kind import InvalidContent
from wsmsg.events.recall import decode_recall
from wsmsg.message.ingress.ingress import validate
from wsmsg.message.ingress.interface import SendRequest
from wsmsg.model import group_conversation, group_of

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
