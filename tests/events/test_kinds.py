"""
Tests of L{wsmsg.events}: its table of kinds.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from wsmsg.client.state import events as client_events
from wsmsg.connect.session import requests
from wsmsg.connect.session.requests import REQUESTS
from wsmsg.connect.session.sends import submit_event
from wsmsg.events import EVENT_KINDS, KIND_OF_FRAME, member_change
from wsmsg.events.group_change import GROUP, GroupChange, encode_change
from wsmsg.events.recall import RECALL
from wsmsg.message.store.mongo import events as mongo_events
from wsmsg.message.store.sqlite import events as sqlite_events
from wsmsg.model import FIRST_EVENT, RECALLED, TEXT, Message
from wsmsg.protocol.frames import ClientFrame, Send, Submission


def event(kind: int, content: str) -> Message:
    """
    An event of group 7.
    """
    return Message("g:7", 1, "c", 1, content, kind, 0)


class TableTests(SynchronousTestCase):
    """
    Every part of the system knows every kind of event.
    """

    def test_numbers(self) -> None:
        """
        The number of a kind is in the range of events, and is not that of a recalled
        message.
        """
        self.assertTrue(all(kind >= FIRST_EVENT for kind in EVENT_KINDS))
        self.assertNotIn(RECALLED, EVENT_KINDS)

    def test_frames(self) -> None:
        """
        Each frame that asks for an event is handled, by the one kind that it asks for.
        """
        asking = {f for f in ClientFrame.__args__ if issubclass(f, Submission)} - {Send}
        self.assertEqual(set(KIND_OF_FRAME), asking)
        self.assertLessEqual(asking, set(REQUESTS))
        self.assertEqual({requests._FREE[frame] for frame in asking}, {submit_event})
        self.assertEqual(sum(len(row.frames) for row in EVENT_KINDS.values()), 7)

    def test_applied(self) -> None:
        """
        Both stores apply each kind, and the client gives each to its program.
        """
        for table in (sqlite_events.APPLY, mongo_events.APPLY, client_events.EVENTS):
            self.assertEqual(set(table), set(EVENT_KINDS))


class MemberChangeTests(SynchronousTestCase):
    """
    The change of membership that a message makes.
    """

    def test_change(self) -> None:
        """
        A group change names the members that it adds and removes.
        """
        content = encode_change(GroupChange(add=(2,), remove=(3,)))
        change = member_change(event(GROUP, content))
        assert change is not None
        self.assertEqual((change.add, change.remove), ((2,), (3,)))

    def test_none(self) -> None:
        """
        Messages, other events and a content that is not valid change no membership.
        """
        for kind, content in ((TEXT, "hi"), (RECALL, "5"), (GROUP, "{"), (2000, "")):
            self.assertIsNone(member_change(event(kind, content)))
