"""
Kafka transactions with a slow broker.
"""

from __future__ import annotations

from typing import Any, cast

from confluent_kafka import KafkaError, KafkaException, Producer
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.message.journal.kafka.dead_letters import begin, commit

_LATE = KafkaError(KafkaError._TIMED_OUT, "not in time", False, True)
_ABORT = KafkaError(KafkaError._STATE, "must be aborted", False, False, True)
_NOT_YET = KafkaError(KafkaError.NOT_COORDINATOR, "not yet")
_OTHER = KafkaError(KafkaError._FENCED, "somebody else", True)


class ScriptedProducer:
    """
    A producer with prepared answers.
    """

    def __init__(self, *answers: KafkaError | None) -> None:
        self.answers = list(answers)
        self.aborted = False

    def commit_transaction(self, timeout: float) -> None:
        answer = self.answers.pop(0)
        if answer is not None:
            raise KafkaException(answer)

    def init_transactions(self, timeout: float) -> None:
        self.commit_transaction(timeout)

    def poll(self, timeout: float) -> int:
        return 0

    def abort_transaction(self, timeout: float) -> None:
        self.aborted = True


class CommitTests(SynchronousTestCase):
    """
    Commits that are repeated, given up, or aborted.
    """

    def commit(self, *answers: KafkaError | None) -> ScriptedProducer:
        client = ScriptedProducer(*answers)
        commit(cast(Producer, client))
        return client

    def fails(self, *answers: KafkaError | None) -> ScriptedProducer:
        client = ScriptedProducer(*answers)
        with self.assertRaises(KafkaException) as caught:
            commit(cast(Any, client))
        self.assertIs(caught.exception.args[0], answers[-1])
        return client

    def test_late(self) -> None:
        """
        A commit that exceeds the limit is repeated, and not aborted.
        """
        client = self.commit(_LATE, _LATE, None)
        self.assertEqual((client.answers, client.aborted), ([], False))

    def test_too_late(self) -> None:
        """
        After three attempts the commit is left to the broker.
        """
        self.assertFalse(self.fails(_LATE, _LATE, _LATE).aborted)

    def test_undone(self) -> None:
        """
        A commit that the broker refuses is aborted, unless another Message has taken
        over, which did so.
        """
        self.assertTrue(self.fails(_ABORT).aborted)
        self.assertFalse(self.fails(_OTHER).aborted)


class BeginTests(SynchronousTestCase):
    """
    The Message that replays dead letters.
    """

    def test_not_yet(self) -> None:
        """
        A broker that is not the coordinator yet is asked again.
        """
        client = ScriptedProducer(_NOT_YET, _NOT_YET, None)
        begin(cast(Producer, client))
        self.assertEqual(client.answers, [])

    def test_never(self) -> None:
        """
        After three attempts, or at once where they are useless, the reason is raised.
        """
        for answers in ([_NOT_YET] * 3, [_OTHER]):
            client = ScriptedProducer(*answers)
            with self.assertRaises(KafkaException) as caught:
                begin(cast(Producer, client))
            self.assertIs(caught.exception.args[0], answers[-1])
            self.assertEqual(client.answers, [])
