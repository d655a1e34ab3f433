"""
With C{legacy.redeliver}, a legacy client that connects gets its unread messages.
"""

from __future__ import annotations

from tests.connect.legacy.clients.legacy_node import text
from tests.connect.legacy.clients.legacy_store import NOW_MS, FeedTestCase, texts
from wsmsg.errors import Forbidden, Unavailable


class RedeliverTests(FeedTestCase):
    """
    The setting C{legacy.redeliver}.
    """

    def test_off(self) -> None:
        """
        Without the setting, a client that returns gets no old messages.
        """
        self.begin(texts([1, 2]))
        self.assertEqual(self.heard(), [])

    def test_on(self) -> None:
        """
        Unread messages are sent on connecting, over several pages, the oldest first,
        unchanged.
        """
        self.begin(texts(range(1, 9)), redeliver=True)
        heard = self.client.heard()
        self.assertEqual([m.content for m in heard], [str(n) for n in range(1, 9)])
        self.assertEqual([m.message_id for m in heard], list(range(101, 109)))

    def test_as_written(self) -> None:
        """
        A message of a legacy sender is sent again with its time, type and
        acknowledgement id, as it was pushed.
        """
        message = text(1, time_ms=NOW_MS, extra="-9 0 k")
        self.begin([message], redeliver=True)
        self.push(text(2, time_ms=NOW_MS, extra="-9 0 k"))
        for heard in self.client.heard():
            written = (heard.timestamp, heard.message_type, heard.ack_id)
            self.assertEqual(written, (-9, 0, "k"))
            self.assertIn(heard.content, ("1", "2"))
        self.assertEqual(self.store.unreads, [""])

    def test_seen(self) -> None:
        """
        Messages that were read, and the user's own, are not sent again.
        """
        self.begin()
        self.store.messages += [*texts([1, 2, 3]), text(4, sender=8, to=7)]
        self.store.seen = {102}
        self.node.registry.apply_settings(
            self.node.settings.model_copy(
                update={
                    "legacy": self.node.registry.settings.legacy.model_copy(
                        update={"redeliver": True}
                    )
                }
            )
        )
        self.assertEqual(self.heard(self.node.connect(8)), [1, 3])

    def test_as_it_reads(self) -> None:
        """
        The next page is not read before the client has taken the last one.
        """
        self.begin(texts(range(1, 9)), redeliver=True)
        self.store.fails = Unavailable("not now")
        client = self.node.connect(8)
        client.session.outbox.pauseProducing()
        self.store.fails = None
        self.node.pass_time(5)
        client.session.outbox.resumeProducing()
        self.assertEqual(self.store.unreads, ["", "103", "106", "", "", "103", "106"])
        self.assertEqual(self.heard(client), list(range(1, 9)))

    def test_in_turns(self) -> None:
        """
        A page that is too large at once is sent in parts.
        """
        long = "1" * 70_000
        many = [text(n, content=f"{n}{long}") for n in (1, 2, 3)]
        self.begin(many, redeliver=True)
        self.assertEqual([t[:1] for t in self.client.texts()], list("123"))
        self.assertEqual(self.store.unreads, ["", "", ""])

    def test_changed_meanwhile(self) -> None:
        """
        A conversation that comes once more, as it changed while the list was read, is
        sent from where it was.
        """
        self.begin(texts(range(1, 5)), redeliver=True)
        self.heard()
        client = self.node.connect(8)
        self.store.fails = Unavailable("not now")
        again = self.node.connect(8)
        feed = again.session.feed
        feed._given["u:7:8"] = 2
        self.store.fails = None
        self.node.pass_time(1.1)
        self.assertEqual(self.heard(again), [3, 4])
        self.heard(client)

    def test_live_meanwhile(self) -> None:
        """
        Messages pushed while unread ones are sent come after them, once.
        """
        self.begin(texts([1, 2]), redeliver=True)
        self.heard()
        self.store.fails = Unavailable("not now")
        client = self.node.connect(8)
        self.push(*texts([3, 4]))
        self.assertEqual(self.heard(client), [])
        self.store.fails = None
        self.node.pass_time(1.1)
        self.assertEqual(self.heard(client), [1, 2, 3, 4])
        self.push(*texts([5]))
        self.assertEqual(self.heard(client), [5])

    def test_impossible(self) -> None:
        """
        If the unread messages cannot be read, new messages are sent all the same.
        """
        self.begin()
        self.store.fails = Forbidden("there is no such thing")
        self.node.registry.apply_settings(
            self.node.settings.model_copy(
                update={
                    "legacy": self.node.registry.settings.legacy.model_copy(
                        update={"redeliver": True}
                    )
                }
            )
        )
        client = self.node.connect(8)
        self.store.fails = None
        self.push(*texts([3]))
        self.node.pass_time(1.1)
        self.assertEqual(self.heard(client), [3])
