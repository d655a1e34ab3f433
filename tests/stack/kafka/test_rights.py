"""
Tests of a Kafka user who may use the topics but not the consumer group.
"""

from __future__ import annotations

from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType

from tests.stack.kafka.places import kafka_place
from tests.stack.kafka.test_faults import KafkaCase
from tests.stack.servers import GUEST, PASSWORD, own_kafka
from tools.stack.server import HOST


class GroupRightsTests(KafkaCase):
    """
    Rights on the consumer group.
    """

    async def test_group(self) -> None:
        """
        A missing right to the group is reported with the group's name, before anything
        is read.
        """
        broker = await own_kafka(self)
        sasl = f"{HOST}:{broker.server.ports['kafka_sasl']}"
        first = await self.opened(kafka_place(broker.address))
        place = kafka_place(sasl, sasl="PLAIN", username=GUEST, password=PASSWORD)
        admin = AdminClient({"bootstrap.servers": broker.address})
        answers = admin.create_acls(
            [
                AclBinding(
                    ResourceType.TOPIC,
                    "*",
                    ResourcePatternType.LITERAL,
                    f"User:{GUEST}",
                    "*",
                    AclOperation.ALL,
                    AclPermissionType.ALLOW,
                )
            ]
        )
        for answer in answers.values():
            answer.result(10)
        await first.stop()
        reason = await self.refused(place)
        self.assertIn(f"the user has no right to group {place.settings.group}", reason)
