"""
The settings of a topic that decide what an accepted message is worth.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from wsmsg.message.journal.kafka.durability import (
    TopicDurability,
    created_config,
    durability_problems,
)

_GOOD = {
    "min.insync.replicas": "2",
    "unclean.leader.election.enable": "false",
    "cleanup.policy": "delete",
    "retention.ms": "604800000",
    "retention.bytes": "-1",
}


class DurabilityTests(SynchronousTestCase):
    """
    L{durability_problems}.
    """

    def problems(self, *, replicas: int = 3, **changed: str) -> list[str]:
        config = {**_GOOD, **{k.replace("_", "."): v for k, v in changed.items()}}
        return durability_problems(TopicDurability("t", replicas, config))

    def test_good(self) -> None:
        """
        Nothing is wrong with the topic that the documentation recommends.
        """
        self.assertEqual(self.problems(), [])
        self.assertEqual(self.problems(retention_ms="-1"), [])
        self.assertEqual(self.problems(replicas=2), [])

    def test_each_key(self) -> None:
        """
        Each setting that may lose an accepted message is named, with its value and the
        value wanted.
        """
        for changed, beginning in (
            (
                {"min_insync_replicas": "1"},
                "min.insync.replicas of topic t is 1, wanted 2: ",
            ),
            (
                {"unclean_leader_election_enable": "true"},
                "unclean.leader.election.enable of topic t is true, wanted false: ",
            ),
            (
                {"cleanup_policy": "compact"},
                "cleanup.policy of topic t is compact, wanted delete: ",
            ),
            (
                {"cleanup_policy": "compact,delete"},
                "cleanup.policy of topic t is compact,delete, wanted delete: ",
            ),
            (
                {"retention_ms": "60000"},
                "retention.ms of topic t is 60000, wanted 86400000 or more, or -1: ",
            ),
            (
                {"retention_bytes": "1000000"},
                "retention.bytes of topic t is 1000000, wanted -1: ",
            ),
        ):
            [problem] = self.problems(replicas=3, **changed)
            self.assertEqual(problem[: len(beginning)], beginning)

    def test_one_broker(self) -> None:
        """
        A topic on a single broker says so.
        """
        one, other = self.problems(replicas=1, min_insync_replicas="1")
        self.assertIn("replication factor of topic t is 1, wanted 3 (at least 2)", one)
        self.assertIn("min.insync.replicas", other)

    def test_not_known(self) -> None:
        """
        Settings that the user may not read are a problem too.
        """
        [problem] = durability_problems(TopicDurability("t", 3, None))
        self.assertIn("may not DESCRIBE_CONFIGS", problem)

    def test_dead_letters(self) -> None:
        """
        The topic of dead letters is compacted, and its retention does not matter.
        """
        config = {**_GOOD, "cleanup.policy": "compact", "retention.ms": "1"}
        topic = TopicDurability("d", 3, config, compacted=True)
        self.assertEqual(durability_problems(topic), [])
        self.assertEqual(topic.retention_s, 0.0)

    def test_retention(self) -> None:
        """
        The retention is known in seconds, where there is one.
        """
        for value, seconds in (("604800000", 604_800.0), ("-1", 0.0)):
            topic = TopicDurability("t", 3, {**_GOOD, "retention.ms": value})
            self.assertEqual(topic.retention_s, seconds)

    def test_created(self) -> None:
        """
        A topic that Message creates has nothing wrong, but what the number of brokers
        decides.
        """
        for replication in (2, 3):
            for compacted in (False, True):
                config = created_config(replication, compacted=compacted)
                self.assertIn("retention.ms", config)
                topic = TopicDurability("t", replication, config, compacted=compacted)
                self.assertEqual(durability_problems(topic), [])
        self.assertEqual(created_config(1, compacted=False)["min.insync.replicas"], "1")
        self.assertNotIn("min.insync.replicas", created_config(0, compacted=False))
