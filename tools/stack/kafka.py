"""
Apache Kafka: one node that is broker and controller, from the jars of Maven Central.

The broker has three listeners: C{kafka} without encryption or login, C{kafka_sasl} with
a name and a password (PLAIN), and C{kafka_ssl} with TLS.  Clients without a login may
do everything, and so may L{USER}; L{GUEST} may do nothing until a test grants it.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import ClassVar

from tools.stack.certificates import certificate_in
from tools.stack.packages import Say, StackError, missing, need, run
from tools.stack.process import Process
from tools.stack.server import GUEST, HOST, PASSWORD, USER, Server

_FILES = Path(__file__).parent / "kafka_files"
_PROGRAMS = ("java", "mvn", "openssl")
_HEAP = "256m"

#: One replica of everything, short times for groups to form and expire, and a short
#: broker session: a killed broker comes back only when its old session has expired.
_SETTINGS = """\
process.roles=broker,controller
node.id=1
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,\
SASL:SASL_PLAINTEXT,TLS:SSL
sasl.enabled.mechanisms=PLAIN
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:{user}
ssl.keystore.type=PEM
auto.create.topics.enable=false
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.min.session.timeout.ms=1000
group.consumer.session.timeout.ms=2000
group.consumer.min.heartbeat.interval.ms=500
group.consumer.heartbeat.interval.ms=500
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=250
num.network.threads=2
num.io.threads=2
background.threads=2
log.cleaner.dedupe.buffer.size=4194304
log.segment.bytes=67108864
"""


class Kafka(Server):
    """
    One broker.  Its options are broker settings, C{key=value}.
    """

    name = "kafka"
    PORTS: ClassVar[dict[str, int]] = {
        "kafka": 19092,
        "kafka_controller": 19093,
        "kafka_sasl": 19094,
        "kafka_ssl": 19095,
    }
    FIRST = "kafka"

    @property
    def certificate(self) -> Path:
        """
        The authority that clients of C{kafka_ssl} trust.
        """
        return certificate_in(self.folder / "tls").certificate

    @classmethod
    def lacking(cls, cache: Path) -> list[str]:
        home = cache / "kafka"
        files = {"the jars": home / "lib.done", "the storage": home / "storage.done"}
        lacking = [what for what, path in files.items() if not path.exists()]
        return lacking + missing(("java", "openssl"))

    @classmethod
    def install(cls, cache: Path, say: Say) -> None:
        if not cls.lacking(cache):
            return
        need(_PROGRAMS, say)
        home = cache / "kafka"
        home.mkdir(parents=True, exist_ok=True)
        if not (home / "lib.done").exists():
            say("kafka: fetching the jars with Maven")
            _fetch(home)
        if not (home / "storage.done").exists():
            say("kafka: preparing an empty storage and an archive of the classes")
            _format(home)
            _archive_classes(cache)
            (home / "storage.done").touch()

    def command(self) -> list[str]:
        return _java(self.cache / "kafka", self.folder, ["kafka.Kafka", self._settings])

    @property
    def _settings(self) -> str:
        return str(self.folder / "server.properties")

    def prepare(self) -> None:
        data = self.folder / "data"
        if not (data / "meta.properties").exists():
            shutil.copytree(self.cache / "kafka" / "storage", data, dirs_exist_ok=True)
        (self.folder / "server.properties").touch(0o600)
        settings = [_settings(self.folder, self.ports), *self._secrets(), *self.options]
        Path(self._settings).write_text("\n".join(settings) + "\n")

    def _secrets(self) -> list[str]:
        users = " ".join(f'user_{u}="{PASSWORD}"' for u in (USER, GUEST))
        login = "org.apache.kafka.common.security.plain.PlainLoginModule required"
        return [
            f"listener.name.sasl.plain.sasl.jaas.config={login} {users};",
            f"ssl.keystore.location={certificate_in(self.folder / 'tls').both}",
        ]

    def operate(self, limit_s: float) -> None:
        """
        Produce a record with C{acks=all}.
        """
        from confluent_kafka import KafkaError, KafkaException, Producer
        from confluent_kafka.admin import AdminClient
        from confluent_kafka.cimpl import NewTopic

        limit_ms = int(limit_s * 1000)
        common: dict[str, str | int] = {
            "bootstrap.servers": self.address,
            "log_level": 0,
        }
        admin = AdminClient({**common, "socket.timeout.ms": limit_ms})
        made = admin.create_topics(
            [NewTopic("stack-ready", 1, 1)], request_timeout=limit_s
        )
        try:
            made["stack-ready"].result(limit_s)
        except KafkaException as e:
            if e.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
        producer = Producer({**common, "acks": "all", "message.timeout.ms": limit_ms})
        mistakes: list[object] = []
        producer.produce("stack-ready", b"", callback=lambda e, _: mistakes.append(e))
        producer.flush(limit_s)
        if mistakes != [None]:
            raise StackError(f"a record was not acknowledged: {mistakes}")


def _settings(folder: Path, ports: dict[str, int]) -> str:
    quorum = f"{HOST}:{ports['kafka_controller']}"
    names = {"PLAINTEXT": "kafka", "SASL": "kafka_sasl", "TLS": "kafka_ssl"}
    listeners = [f"{name}://{HOST}:{ports[port]}" for name, port in names.items()]
    return _SETTINGS.format(user=USER) + "\n".join(
        [
            f"controller.quorum.voters=1@{quorum}",
            f"listeners={','.join([*listeners, f'CONTROLLER://{quorum}'])}",
            f"advertised.listeners={','.join(listeners)}",
            f"log.dirs={folder / 'data'}",
        ]
    )


def _java(home: Path, folder: Path, arguments: list[str]) -> list[str]:
    archive = home / "classes.jsa"
    # Java uses an existing archive; -XX:ArchiveClassesAtExit creates one.
    shared = [f"-XX:SharedArchiveFile={archive}"] if archive.exists() else []
    return [
        "java",
        *(f"-Xms{_HEAP}", f"-Xmx{_HEAP}", "-XX:+UseSerialGC"),
        # The broker lives for minutes: the second compiler costs more than it saves.
        "-XX:TieredStopAtLevel=1",
        *shared,
        "-XX:+ExitOnOutOfMemoryError",
        f"-Dlog4j2.configurationFile={_FILES / 'log4j2.yaml'}",
        f"-Dkafka.logs.dir={folder}",
        *("-cp", str(home / "lib" / "*")),
        *arguments,
    ]


def _fetch(home: Path) -> None:
    shutil.rmtree(home / "lib", ignore_errors=True)
    shutil.copy(_FILES / "pom.xml", home)
    goal = "dependency:copy-dependencies"
    where = f"-DoutputDirectory={home / 'lib'}"
    command = ["mvn", "-B", "-q", *os.environ.get("MAVEN_ARGS", "").split()]
    run([*command, goal, "-DincludeScope=runtime", where], cwd=home)
    (home / "lib.done").touch()


def _format(home: Path) -> None:
    """
    Make an empty storage.  Each new broker gets a copy, which saves a start of Java.
    """
    work = home / "format"
    for folder in (work, home / "storage"):
        shutil.rmtree(folder, ignore_errors=True)
    (work / "data").mkdir(parents=True)
    text = _settings(work, Kafka.PORTS)
    # The certificate and the passwords are not known yet, and not needed.
    text = text.replace("authorizer.class.name=", "#")
    (work / "server.properties").write_text(text)
    tool = _java(home, work, ["kafka.tools.StorageTool"])
    cluster = run([*tool, "random-uuid"]).split()[-1]
    run([*tool, "format", "-t", cluster, "-c", str(work / "server.properties")])
    shutil.move(work / "data", home / "storage")
    shutil.rmtree(work)


def _archive_classes(cache: Path) -> None:
    """
    Archive the classes that a broker loads, from a broker that is started for this.
    The archive halves the time of a start.
    """
    from tools.stack.ports import free_ports

    home = cache / "kafka"
    archive = home / "classes.jsa"
    archive.unlink(missing_ok=True)
    (home / "storage.done").touch()
    folder = home / "first"
    broker = Kafka(cache, folder, free_ports(Kafka.PORTS))
    try:
        folder.mkdir(exist_ok=True)
        broker.prepare()
        command = broker.command()
        command.insert(1, f"-XX:ArchiveClassesAtExit={archive}")
        broker.process = Process(folder / "kafka.pid", broker.log)
        broker.process.start(command, cwd=folder, detached=True)
        broker.wait_ready()
        broker.process.stop(limit_s=90)
    finally:
        (home / "storage.done").unlink()
        broker.wipe()
