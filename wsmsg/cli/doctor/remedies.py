"""
The remedies that the doctor prints for dependencies that are not up.
"""

from __future__ import annotations

from wsmsg.dependency.cause import Cause

#: What to do when a dependency with a name that begins so is not up: for a known cause,
#: and otherwise.
REMEDIES: dict[str, dict[str, str]] = {
    "message ": {
        Cause.CREDENTIALS: (
            "give both daemons the same secret: peer.secrets, or peer.key in the data "
            "directory; or find out who listens there"
        ),
        Cause.TLS: (
            "correct peer.ca and peer.name, or renew the certificate of that Message "
            "(tls.rpc_listen.cert)"
        ),
        "": "start Message (twistd -n message), or correct connect.discovery",
    },
    "journal": {
        Cause.UNREACHABLE: (
            "start Kafka, open the network, or correct the brokers in message.journal"
        ),
        Cause.TLS: "correct kafka.tls, kafka.tls_ca and the broker's certificate",
        Cause.CREDENTIALS: "correct kafka.username and kafka.password",
        Cause.RIGHTS: (
            "grant the user that right (kafka-acls.sh), or correct kafka.group"
        ),
        Cause.TOPIC_RIGHTS: "grant the user the right to the topic (kafka-acls.sh)",
        Cause.TOPIC_MISSING: (
            "create the topic (kafka-topics.sh), or set kafka.create_topics = true"
        ),
        Cause.TOPIC_PARTITIONS: "name another topic in kafka.dead_letters",
        Cause.TOPIC_RETIRED: (
            "finish wsmsg journal repartition, or end it with --cancel; after it, name "
            "the new topic in message.journal"
        ),
        Cause.TOPIC_BYTES: "raise it for the topic (kafka-configs.sh)",
        Cause.TOPIC_DURABILITY: "correct them, or unset kafka.strict",
        "": "remove the cause in the reason, or correct message.journal",
    },
    "store": {
        Cause.STORE_DURABILITY: "correct it, or unset mongo.strict",
        "": (
            "start MongoDB, open the network, or correct message.store and its password"
        ),
    },
    "presence": {
        "": "start Redis or correct message.presence; messages are delivered meanwhile",
    },
    "registry": {
        "": "start Redis or correct its address; known Messages stay in use",
    },
    "discovery": {
        "": "start the server in connect.discovery, or correct it",
    },
    "keys ": {
        "": "start the server of token.jwks, or correct it; known keys stay in use",
    },
    "legacy": {
        "": "start the Redis of legacy Connects, or correct connect.legacy.redis",
    },
}
