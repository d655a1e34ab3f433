"""
Tests of the test servers themselves, and of what other tests assume about them.
"""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.stack.servers import (
    GUEST,
    PASSWORD,
    READER,
    USER,
    kafka_address,
    kafka_sasl_address,
    kafka_ssl,
    mongo_url,
    needs,
    own_kafka,
    own_mongo,
    own_redis,
    redis_tls,
    redis_url,
    unique,
)

LIMIT_S = 10

Settings = dict[str, str | int | float | bool]


def produce(settings: Settings, topic: str) -> KafkaError | None:
    """
    Produce a record.

    @return: the error, or None once it is acknowledged.
    """
    errors: list[KafkaError | None] = []
    common = {"log_level": 0, "message.timeout.ms": LIMIT_S * 1000}
    producer = Producer({**common, **settings})
    producer.produce(topic, b"x", callback=lambda e, _: errors.append(e))
    producer.flush(LIMIT_S)
    return errors[0] if errors else KafkaError(KafkaError._TIMED_OUT)


def make_topic() -> str:
    topic = unique("topic")
    admin = AdminClient({"bootstrap.servers": kafka_address(), "log_level": 0})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(LIMIT_S)
    return topic


def sasl(user: str, password: str = PASSWORD) -> Settings:
    return {
        "bootstrap.servers": kafka_sasl_address(),
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "PLAIN",
        "sasl.username": user,
        "sasl.password": password,
    }


@needs("kafka")
class KafkaTests(TestCase):
    """
    The broker.
    """

    async def test_rights(self) -> None:
        """
        A user with rights can produce; a user without is refused.
        """
        topic = await deferToThread(make_topic)
        self.assertIsNone(await deferToThread(produce, sasl(USER), topic))
        refused = await deferToThread(produce, sasl(GUEST), topic)
        assert refused is not None
        self.assertEqual(refused.code(), KafkaError.TOPIC_AUTHORIZATION_FAILED)

    async def test_wrong_password(self) -> None:
        """
        A user with a wrong password is refused.
        """
        told: list[KafkaError] = []
        wrong = {**sasl(USER, "wrong"), "log_level": 0, "error_cb": told.append}
        producer = Producer(wrong)
        for _ in range(LIMIT_S * 10):
            await deferToThread(producer.poll, 0.1)
            if told:
                break
        self.assertEqual(told[0].code(), KafkaError._AUTHENTICATION)

    async def test_tls(self) -> None:
        """
        A client that trusts the certificate can produce over TLS.
        """
        topic = await deferToThread(make_topic)
        address, authority = kafka_ssl()
        settings: Settings = {
            "bootstrap.servers": address,
            "security.protocol": "SSL",
            "ssl.ca.location": str(authority),
        }
        self.assertIsNone(await deferToThread(produce, settings, topic))

    async def test_unknown_topic(self) -> None:
        """
        Using a topic does not create it.
        """
        settings: Settings = {"bootstrap.servers": kafka_address()}
        refused = await deferToThread(produce, settings, unique("missing"))
        self.assertIsNotNone(refused)

    async def test_killed(self) -> None:
        """
        A broker that was killed comes back at its port with its data.
        """
        own = await own_kafka(self)
        config: Settings = {"bootstrap.servers": own.address, "log_level": 0}
        admin = AdminClient(config)
        await deferToThread(
            admin.create_topics([NewTopic("kept", 3, 1)])["kept"].result, LIMIT_S
        )
        own.kill()
        with self.assertRaises(KafkaException):
            await deferToThread(AdminClient(config).list_topics, timeout=0.5)
        await own.start()
        topics = await deferToThread(AdminClient(config).list_topics, timeout=LIMIT_S)
        self.assertEqual(len(topics.topics["kept"].partitions), 3)


@needs("mongo")
class MongoTests(TestCase):
    """
    The server with MongoDB's protocol.
    """

    async def test_killed(self) -> None:
        """
        Acknowledged documents survive SIGKILL.
        """
        own = await own_mongo(self)
        with MongoClient[dict[str, int]](own.server.url) as client:
            documents = client[unique("db")].numbers
            hundred = [{"_id": n} for n in range(100)]
            await deferToThread(documents.insert_many, hundred)
            own.kill()
            await own.start()
            self.assertEqual(await deferToThread(documents.count_documents, {}), 100)

    async def test_users(self) -> None:
        """
        Only a user with rights can write; missing rights and a wrong password are
        refused.
        """
        own = await own_mongo(self, with_users=True)
        good = own.server.url
        self.assertIsNone(await deferToThread(self._insert, good))
        bad = [
            good.replace(USER, GUEST),
            good.replace(PASSWORD, "wrong"),
            good.replace(f"{USER}:{PASSWORD}@", ""),
        ]
        for url in bad:
            refused = await deferToThread(self._insert, url)
            self.assertIsInstance(refused, OperationFailure, url)

    async def test_tls(self) -> None:
        """
        A server with TLS refuses clients without it.
        """
        own = await own_mongo(self, with_tls=True)
        self.assertIsNone(await deferToThread(self._insert, own.server.url))
        clear = f"mongodb://{own.address}/"
        self.assertIsNotNone(await deferToThread(self._insert, clear))

    async def test_shared(self) -> None:
        """
        The shared server stores documents.
        """
        self.assertIsNone(await deferToThread(self._insert, mongo_url()))

    def _insert(self, url: str) -> PyMongoError | None:
        with MongoClient[dict[str, int]](url, serverSelectionTimeoutMS=2000) as client:
            name = unique("db")
            try:
                client[name].numbers.insert_one({"_id": 1})
                client.drop_database(name)
            except PyMongoError as e:
                return e
        return None


async def ask(address: str, *commands: str) -> list[str]:
    """
    Send a command to Redis, and return the answer line by line.
    """
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), LIMIT_S) as s:
        with s.makefile("rwb") as lines:
            answers = []
            for command in commands:
                lines.write(command.encode() + b"\r\n")
                lines.flush()
                answers.append(lines.readline().decode().strip())
            return answers


@needs("redis")
class RedisTests(TestCase):
    """
    Redis.
    """

    async def test_users(self) -> None:
        """
        The reader may read, the guest may do nothing, and a wrong password is refused.
        """
        address = redis_url().removeprefix("redis://")
        key = unique("key")
        said = await ask(address, f"AUTH {USER} {PASSWORD}", f"SET {key} 1 PX 1000")
        self.assertEqual(said, ["+OK", "+OK"])
        said = await ask(address, f"AUTH {READER} {PASSWORD}", f"SET {key} 1")
        self.assertRegex(said[1], "^-NOPERM")
        said = await ask(address, f"AUTH {GUEST} {PASSWORD}", f"GET {key}", "PING")
        self.assertRegex(said[1], "^-NOPERM")
        said = await ask(address, f"AUTH {USER} wrong")
        self.assertRegex(said[0], "^-WRONGPASS")

    async def test_killed(self) -> None:
        """
        Acknowledged values survive SIGKILL.
        """
        own = await own_redis(self)
        self.assertEqual(await ask(own.address, "SET kept 7"), ["+OK"])
        own.kill()
        with self.assertRaises(ConnectionRefusedError):
            await ask(own.address, "PING")
        await own.start()
        self.assertEqual(await ask(own.address, "STRLEN kept"), [":1"])

    async def test_read_only(self) -> None:
        """
        A replica without a master is read-only, and answers so.
        """
        own = await own_redis(self, "--replicaof", "127.0.0.1 1")
        said = await ask(own.address, "SET a 1")
        self.assertRegex(said[0], "^-READONLY")

    async def test_full(self) -> None:
        """
        A full server refuses writes.
        """
        own = await own_redis(self, "--maxmemory", "1")
        self.assertRegex((await ask(own.address, "SET a 1"))[0], "^-OOM")

    async def test_tls(self) -> None:
        """
        A client that trusts the authority can connect over TLS.
        """
        address, authority = redis_tls()
        self.assertTrue(Path(authority).exists())
        host, _, port = address.rpartition(":")
        context = ssl.create_default_context(cafile=str(authority))
        with socket.create_connection((host, int(port)), LIMIT_S) as plain:
            with context.wrap_socket(plain, server_hostname=host) as s:
                s.sendall(b"PING\r\n")
                self.assertEqual(s.recv(100), b"+PONG\r\n")

    async def test_suspended(self) -> None:
        """
        A suspended server accepts connections and never answers.
        """
        own = await own_redis(self)
        own.suspend()
        host, _, port = own.address.rpartition(":")
        with socket.create_connection((host, int(port)), 1) as s:
            s.settimeout(0.2)
            s.sendall(b"PING\r\n")
            with self.assertRaises(TimeoutError):
                s.recv(10)
            own.resume()
            s.settimeout(LIMIT_S)
            self.assertEqual(s.recv(10), b"+PONG\r\n")
