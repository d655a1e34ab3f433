"""
Reading that waits for room, and the Connects that it waits for.
"""

from __future__ import annotations

from tests.message.delivery.cases import ReaderTestCase, message
from wsmsg.message.delivery.reader import PATIENCE_S

#: Within this time nobody waits for a Connect that does not acknowledge.
MOST_WAIT_S = 1.0


class RoomTests(ReaderTestCase):
    """
    A reader with room for three records.
    """

    def test_no_acknowledgement(self) -> None:
        """
        A Connect that does not acknowledge holds up everybody else for less than a
        second; its link is cut, so its sessions sync.
        """
        link = self.connect()
        self.journal.give(*(message(n) for n in range(1, 4)))
        self.assertEqual(self.journal.reads, [])
        self.clock.pump([0.05] * int(PATIENCE_S / 0.05 - 1))
        self.assertEqual((self.journal.reads, link.broken), ([], ""))
        self.clock.pump([0.05] * 10)
        self.assertLess(self.clock.seconds(), MOST_WAIT_S)
        self.assertEqual(len(self.journal.reads), 1)
        self.assertEqual(self.journal.commits[-1], {0: 3})
        self.assertIn("reading the journal waited", link.broken)
        self.assertEqual(self.links.cut, 1)

    def test_slower_than_the_traffic(self) -> None:
        """
        A Connect that acknowledges steadily, but more slowly than messages come, does
        not set the pace of the others: it is cut.
        """
        link = self.connect()
        numbers: list[int] = []
        waited_s = 0.0
        for n in range(1, 41):
            if self.journal.reads:
                self.journal.give(message(n))
                frame = link.next_frame()
                numbers += [frame.batch.number] if frame is not None else []
            else:
                waited_s += 0.2
            self.clock.pump([0.1, 0.1])
            if n % 3 == 0 and numbers and not link.broken:
                link.acknowledged(numbers.pop(0))
        self.assertIn("reading the journal waited", link.broken)
        self.assertLess(waited_s, MOST_WAIT_S)

    def test_acknowledged_late(self) -> None:
        """
        A Connect that acknowledges while reading waits keeps its link.
        """
        link = self.connect()
        self.journal.give(*(message(n) for n in range(1, 4)))
        self.clock.pump([0.1] * 4)
        self.acknowledge(link)
        self.clock.pump([0.1] * 10)
        self.assertEqual((link.broken, len(self.journal.reads)), ("", 1))

    def test_stalled(self) -> None:
        """
        A Message that did not run for a while cuts nobody for what it has not read.
        """
        link = self.connect()
        self.journal.give(*(message(n) for n in range(1, 4)))
        self.clock.advance(30)
        self.assertEqual(link.broken, "")
        self.acknowledge(link)
        self.assertEqual(len(self.journal.reads), 1)

    def test_release_fails(self) -> None:
        """
        A bug in the release of the links is logged, and the release is tried again.
        """
        link = self.connect()
        release = self.links.release

        def fails_once(age_s: float) -> None:
            self.links.release = release  # type: ignore[method-assign]
            raise RuntimeError("a bug")

        self.links.release = fails_once  # type: ignore[method-assign]
        self.journal.give(*(message(n) for n in range(1, 4)))
        self.clock.pump([0.1] * 8)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertIn("reading the journal waited", link.broken)
