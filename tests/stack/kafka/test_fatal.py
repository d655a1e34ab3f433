"""
Tests of a producer that the client library declares dead.
"""

from __future__ import annotations

from confluent_kafka import KafkaError

from tests.doubles import up
from tests.message.journal.journal_contract import messages, read_all, sent
from tests.stack.kafka.places import kafka_place
from tests.stack.kafka.test_faults import KafkaCase
from tests.stack.servers import needs
from wsmsg.errors import Unavailable


@needs("kafka")
class FatalTests(KafkaCase):
    """
    Fatal errors of a producer. A real broker cannot be made to cause one at will, so
    the test raises the library's error; the broker and all else are real.
    """

    async def test_rebuilt(self) -> None:
        """
        Sends in flight are refused, a new producer replaces the dead one, and what was
        accepted is in the log once and in order.
        """
        journal = await self.opened(kafka_place(partitions=1))
        await journal.append([sent(1)])
        dead = journal._producers.current
        assert dead is not None
        on_its_way = journal.append([sent(2)])
        fatal = KafkaError(KafkaError._FATAL, "an identity was lost", True)
        dead._arrived([], [fatal], [])
        with self.assertRaises(Unavailable) as caught:
            await on_its_way
        self.assertIn("an identity was lost", caught.exception.reason)
        self.assertIn("an identity was lost", journal.dependency.snapshot().last_error)
        self.failureResultOf(journal.append([sent(3)]), Unavailable)
        await up(journal)
        self.assertIsNot(journal._producers.current, dead)
        await journal.append([sent(4)])
        await journal.append([sent(5)])
        read = [m for m in messages(await read_all(journal, 3)) if m != sent(2)]
        # A refused record may be in the log all the same: its repeat is recognised
        # there.
        if len(read) < 3:
            read += messages(await read_all(journal, 3 - len(read)))
        self.assertEqual(read, [sent(1), sent(4), sent(5)])
