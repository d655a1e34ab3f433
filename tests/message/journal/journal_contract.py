"""
The contract of every L{IJournal}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from wsmsg.dependency.state import State
from wsmsg.errors import Unavailable
from wsmsg.message.journal.interface import IJournal, JournalEntry
from wsmsg.model import Message


class JournalPlace(Protocol):
    """
    The place of a journal, for a test that stops it and starts it again.
    """

    async def open(self) -> IJournal:
        """
        Return a journal there, started and up; it is stopped when the test ends.
        """

    async def kill(self) -> IJournal:
        """
        Return the journal as if the process had been killed at this moment and started
        again.
        """


def sent(i: int, content: str = "") -> Message:
    """
    Return the test message of this number.
    """
    return Message("u:1:2", 1, f"c{i}", i + 1, content or f"text {i}", 1, 1000 + i)


def messages(entries: list[JournalEntry]) -> list[Message | None]:
    """
    Return the messages of entries.
    """
    return [e.message for e in entries]


async def read_all(
    journal: IJournal, count: int, limit: int = 1000
) -> list[JournalEntry]:
    """
    Return this many entries, from as many reads as it takes.
    """
    entries: list[JournalEntry] = []
    while len(entries) < count:
        some = await journal.read(min(limit, count - len(entries)))
        assert some, "the journal ended before everything was read"
        entries += some
    return entries


def make_journal_tests(
    make_place: Callable[[TestCase], JournalPlace],
) -> type[TestCase]:
    """
    Make the tests of the behaviour that every L{IJournal} has.
    """

    class JournalTests(TestCase):
        async def setUp(self) -> None:  # type: ignore[override]
            self.place = make_place(self)
            self.journal = await self.place.open()
            verifyObject(IJournal, self.journal)

        async def again(self) -> None:
            """
            Stop the journal and start it again.
            """
            await self.journal.stop()
            self.journal = await self.place.open()

        async def killed(self) -> None:
            """
            Kill the process and start it again.
            """
            self.journal = await self.place.kill()

        async def test_append_and_read(self) -> None:
            """
            Messages are read in the order of their appends, unchanged.
            """
            said = [sent(i) for i in range(5)]
            await self.journal.append(said)
            entries = await self.journal.read(10)
            self.assertEqual(messages(entries), said)
            self.assertEqual([e.problem for e in entries], [""] * 5)

        async def test_offsets_rise(self) -> None:
            """
            Each record has a higher offset than the one before it.
            """
            for i in range(3):
                await self.journal.append([sent(i), sent(i + 10)])
            offsets = [e.offset for e in await read_all(self.journal, 6)]
            self.assertEqual(offsets, sorted(set(offsets)))

        async def test_nothing(self) -> None:
            """
            Appending nothing succeeds, and nothing is read.
            """
            await self.journal.append([])
            reading = self.journal.read(1)
            self.assertNoResult(reading)
            await self.journal.append([sent(1)])
            self.assertEqual(messages(await reading), [sent(1)])

        async def test_limit(self) -> None:
            """
            A read returns at most as many entries as its limit, and the next one
            continues behind them.
            """
            await self.journal.append([sent(i) for i in range(5)])
            self.assertEqual(messages(await self.journal.read(2)), [sent(0), sent(1)])
            self.assertEqual(
                messages(await self.journal.read(9)), [sent(2), sent(3), sent(4)]
            )

        async def test_read_waits(self) -> None:
            """
            A read with nothing to return waits for the next append.
            """
            reading = self.journal.read(10)
            self.assertNoResult(reading)
            await self.journal.append([sent(1)])
            self.assertEqual(messages(await reading), [sent(1)])

        async def test_concurrent_appends(self) -> None:
            """
            Concurrent appends keep the order in which they were made.
            """
            appends = [self.journal.append([sent(i)]) for i in range(50)]
            for append in appends:
                await append
            self.assertEqual(
                messages(await read_all(self.journal, 50)), [sent(i) for i in range(50)]
            )

        async def test_kill_keeps_what_was_appended(self) -> None:
            """
            Messages whose append succeeded are there after a kill.
            """
            said = [sent(i) for i in range(20)]
            await self.journal.append(said)
            await self.killed()
            self.assertEqual(messages(await read_all(self.journal, 20)), said)

        async def test_kill_after_read(self) -> None:
            """
            Entries that were read and not committed are read again after a kill.
            """
            await self.journal.append([sent(1), sent(2)])
            first = await self.journal.read(10)
            await self.killed()
            self.assertEqual(await read_all(self.journal, 2), first)

        async def test_commit_and_reopen(self) -> None:
            """
            Committed entries are not read again after a stop.
            """
            await self.journal.append([sent(i) for i in range(4)])
            entries = await self.journal.read(10)
            self.journal.commit({e.partition: e.offset + 1 for e in entries[:3]})
            await self.again()
            self.assertEqual(messages(await self.journal.read(10)), [sent(3)])

        async def test_witness(self) -> None:
            """
            The text that was written with the last commit is returned to whoever reads
            on from there.
            """
            found: list[str] = []

            def keep(text: str) -> None:
                self.journal.keep_witness(
                    lambda: dict.fromkeys(range(50), text),
                    lambda texts: found.extend(texts.values()),
                )

            keep("full:12")
            await self.journal.append([sent(0)])
            (entry,) = await self.journal.read(10)
            self.journal.commit({entry.partition: entry.offset + 1})
            self.assertNotIn("full:12", found)
            await self.again()
            keep("full:13")
            await self.journal.append([sent(1)])
            await self.journal.read(10)
            self.assertIn("full:12", found)

        async def test_all_committed(self) -> None:
            """
            After a stop with all entries committed, only new ones are read, with higher
            offsets.
            """
            await self.journal.append([sent(0)])
            (old,) = await self.journal.read(10)
            self.journal.commit({old.partition: old.offset + 1})
            await self.again()
            await self.journal.append([sent(1)])
            (new,) = await self.journal.read(10)
            self.assertEqual(new.message, sent(1))
            self.assertGreater(new.offset, old.offset)

        async def test_commit_never_falls(self) -> None:
            """
            An older position after a newer one changes nothing.
            """
            await self.journal.append([sent(0), sent(1), sent(2)])
            entries = await self.journal.read(10)
            for entry in (entries[1], entries[0]):
                self.journal.commit({entry.partition: entry.offset + 1})
            await self.again()
            self.assertEqual(messages(await self.journal.read(10)), [sent(2)])

        async def test_rewind(self) -> None:
            """
            After a rewind all uncommitted entries are read again, and then the rest.
            """
            await self.journal.append([sent(i) for i in range(6)])
            entries = await self.journal.read(4)
            self.journal.commit({entries[1].partition: entries[1].offset + 1})
            self.journal.rewind()
            self.assertEqual(
                messages(await read_all(self.journal, 4)),
                [sent(i) for i in range(2, 6)],
            )

        async def test_rewind_wakes_a_reader(self) -> None:
            """
            A read that waits returns the entries that a rewind brings back.
            """
            await self.journal.append([sent(1)])
            first = await self.journal.read(10)
            reading = self.journal.read(10)
            self.journal.rewind()
            self.assertEqual(await reading, first)

        async def test_big_batch(self) -> None:
            """
            Ten thousand records in one append are durable together and in order.
            """
            said = [sent(i) for i in range(10_000)]
            await self.journal.append(said)
            self.assertEqual(messages(await read_all(self.journal, 10_000, 700)), said)
            await self.killed()
            self.assertEqual(messages(await read_all(self.journal, 10_000, 700)), said)

        async def test_any_text(self) -> None:
            """
            A text may have any characters, and a great number of them.
            """
            said = [
                sent(1, "a\x00b"),
                sent(2, "\u2028 \U0001f600 é"),
                sent(3, "x" * 65536),
            ]
            await self.journal.append(said)
            self.assertEqual(messages(await read_all(self.journal, 3)), said)
            await self.killed()
            self.assertEqual(messages(await read_all(self.journal, 3)), said)

        async def test_dead_letters(self) -> None:
            """
            Dead letters are listed with their reason, place and bytes, in the order of
            their numbers, also after a kill.
            """
            await self.journal.append([sent(0), sent(1)])
            entries = await read_all(self.journal, 2)
            await self.journal.dead_letter([(e, f"why {e.offset}") for e in entries])
            await self.killed()
            letters = await self.journal.dead_letters(0, 10)
            self.assertEqual(
                [(x.partition, x.offset, x.reason, x.value) for x in letters],
                [(e.partition, e.offset, f"why {e.offset}", e.value) for e in entries],
            )
            self.assertLess(letters[0].number, letters[1].number)
            after = await self.journal.dead_letters(letters[0].number, 10)
            self.assertEqual(after, letters[1:])
            self.assertEqual(await self.journal.dead_letters(0, 1), letters[:1])

        async def test_dead_letter_twice(self) -> None:
            """
            A record that becomes a dead letter again, after a restart, is one letter.
            """
            await self.journal.append([sent(0)])
            entries = await self.journal.read(1)
            await self.journal.dead_letter([(entries[0], "why")])
            await self.journal.dead_letter([(entries[0], "why")])
            self.assertEqual(len(await self.journal.dead_letters(0, 10)), 1)

        async def test_replay(self) -> None:
            """
            Replayed dead letters are read as new records and leave the dead letters;
            others stay.
            """
            await self.journal.append([sent(i) for i in range(3)])
            entries = await read_all(self.journal, 3)
            await self.journal.dead_letter([(e, "why") for e in entries])
            numbers = [x.number for x in await self.journal.dead_letters(0, 10)]
            reading = self.journal.read(10)
            found = await self.journal.replay([*numbers[:2], 999_999])
            self.assertEqual(found, numbers[:2])
            again = await reading
            self.assertEqual(messages(again), [sent(0), sent(1)])
            self.assertGreater(again[0].offset, entries[2].offset)
            left = await self.journal.dead_letters(0, 10)
            self.assertEqual([x.number for x in left], numbers[2:])

        async def test_replay_outlives_a_kill(self) -> None:
            """
            After a kill replayed dead letters are in the journal, behind the other
            records.
            """
            await self.journal.append([sent(0), sent(1)])
            entries = await read_all(self.journal, 2)
            await self.journal.dead_letter([(entries[0], "why")])
            (letter,) = await self.journal.dead_letters(0, 10)
            await self.journal.replay([letter.number])
            await self.journal.append([sent(2)])
            await self.killed()
            self.assertEqual(
                messages(await read_all(self.journal, 4)),
                [sent(0), sent(1), sent(0), sent(2)],
            )
            self.assertEqual(await self.journal.dead_letters(0, 10), [])

        async def test_stop_ends_a_read(self) -> None:
            """
            A read that waits when the journal stops returns nothing, and so do later
            ones.
            """
            reading = self.journal.read(1)
            await self.journal.stop()
            self.assertEqual(await reading, [])
            self.assertEqual(await self.journal.read(1), [])
            self.assertIs(self.journal.dependency.state, State.STOPPED)

        async def test_stop_finishes_appends(self) -> None:
            """
            Appends in flight when the journal stops become durable.
            """
            appends = [self.journal.append([sent(i)]) for i in range(3)]
            await self.again()
            for append in appends:
                self.successResultOf(append)
            self.assertEqual(
                messages(await read_all(self.journal, 3)), [sent(i) for i in range(3)]
            )

        async def test_stopped(self) -> None:
            """
            A stopped journal refuses all calls as unavailable, and may be stopped
            again.
            """
            await self.journal.stop()
            await self.journal.stop()
            for call in (
                lambda: self.journal.append([sent(1)]),
                lambda: self.journal.dead_letter([]),
                lambda: self.journal.dead_letters(0, 1),
                lambda: self.journal.replay([1]),
            ):
                self.failureResultOf(call(), Unavailable)

    return JournalTests
