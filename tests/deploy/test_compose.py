"""
Tests of the files in C{deploy/compose}, as far as they need no containers.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.cli.check_config import check_config
from wsmsg.settings.sources import Sources, load_settings
from wsmsg.settings.values import ConnectSettings, MessageSettings

ROOT = Path(__file__).resolve().parent.parent.parent
COMPOSE = ROOT / "deploy" / "compose"
SETTINGS = COMPOSE / "wsmsg.toml"
SERVERS = {"kafka", "mongo", "redis"}
DAEMONS = {"connect", "message"}

#: The keys in use of those that a service of the Compose specification may have.
SERVICE_KEYS = {
    "build",
    "command",
    "depends_on",
    "entrypoint",
    "environment",
    "healthcheck",
    "image",
    "ports",
    "restart",
    "stop_grace_period",
    "volumes",
}


class ComposeTests(SynchronousTestCase):
    """
    C{compose.yaml}.
    """

    def setUp(self) -> None:
        text = (COMPOSE / "compose.yaml").read_text()
        self.file: dict[str, Any] = yaml.safe_load(text)
        self.services: dict[str, dict[str, Any]] = self.file["services"]

    def test_keys(self) -> None:
        """
        The file has only keys of the Compose specification; an installed Compose
        accepts it.
        """
        self.assertLessEqual(set(self.file), {"name", "x-wsmsg", "services", "volumes"})
        for name, service in self.services.items():
            self.assertEqual(set(service) - SERVICE_KEYS, set(), name)
        docker = shutil.which("docker")
        if docker is not None and _has_compose(docker):
            file = str(COMPOSE / "compose.yaml")
            command = [docker, "compose", "-f", file, "config", "--quiet"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_services(self) -> None:
        """
        The file has the three servers and both daemons, each with a health check.
        """
        self.assertEqual(set(self.services), SERVERS | DAEMONS)
        for name, service in self.services.items():
            self.assertEqual(service["healthcheck"]["test"][0], "CMD", name)
            waits_for = service.get("depends_on", {})
            self.assertLessEqual(set(waits_for), set(self.services), name)
            for condition in waits_for.values():
                self.assertEqual(condition, {"condition": "service_healthy"})

    def test_images(self) -> None:
        """
        The servers' images are the official ones, with a version; Kafka's version is
        the tested one.
        """
        images = {name: self.services[name]["image"] for name in SERVERS}
        for image in images.values():
            self.assertRegex(image, r"^(apache/kafka|mongo|redis):\d+(\.\d+)+$")
        pom = (ROOT / "tools" / "stack" / "kafka_files" / "pom.xml").read_text()
        tested = re.findall(r"kafka_2.13</artifactId>\s*<version>(.*)<", pom)
        self.assertEqual([images["kafka"].partition(":")[2]], tested)

    def test_only_loopback(self) -> None:
        """
        Ports are published on loopback only.
        """
        for name, service in self.services.items():
            for port in service.get("ports", []):
                self.assertTrue(port.startswith("127.0.0.1:"), f"{name} {port}")

    def test_volumes(self) -> None:
        """
        The servers keep their data in declared volumes, and every mounted file exists.
        """
        for name, service in self.services.items():
            for volume in service["volumes"]:
                source = volume.partition(":")[0]
                if source.startswith("."):
                    self.assertTrue((COMPOSE / source).exists(), f"{name} {volume}")
                else:
                    self.assertIn(source, self.file["volumes"])

    def test_time_to_stop(self) -> None:
        """
        Compose gives a daemon longer to stop than its settings do.
        """
        for kind, name in ((ConnectSettings, "connect"), (MessageSettings, "message")):
            settings = load_settings(kind, Sources(file=SETTINGS))
            grace = float(self.services[name]["stop_grace_period"].removesuffix("s"))
            self.assertGreater(grace, settings.drain.lead_s + settings.stop_s)

    def test_no_default_secret(self) -> None:
        """
        Compose starts nothing without the secrets; a command makes them, at random and
        for their owner only, and keeps those that are there.
        """
        text = (COMPOSE / "compose.yaml").read_text()
        secrets = set(re.findall(r"\$\{(\w+)", text))
        self.assertEqual(re.findall(r"\$\{\w+:?-", text), [])
        self.assertEqual(
            len(re.findall(r"\$\{\w+:\?run ./secrets first\}", text)),
            len(re.findall(r"\$\{", text)),
        )
        folder = Path(self.mktemp())
        folder.mkdir()
        shutil.copy(COMPOSE / "secrets", folder)
        made = []
        for _ in range(2):
            subprocess.run([str(folder.absolute() / "secrets")], check=True)
            made.append((folder / ".env").read_text())
        self.assertEqual(made[0], made[1])
        self.assertEqual((folder / ".env").stat().st_mode & 0o777, 0o600)
        values = dict(line.split("=", 1) for line in made[0].splitlines())
        self.assertEqual(set(values), secrets)
        self.assertEqual(len(set(values.values())), len(secrets))
        self.assertTrue(all(len(value) == 64 for value in values.values()))

    def test_passwords(self) -> None:
        """
        Every server asks for a password, and the daemons have it.
        """
        kafka = self.services["kafka"]["environment"]
        for listener in ("INSIDE", "OUTSIDE"):
            protocols = kafka["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"]
            self.assertIn(f"{listener}:SASL_PLAINTEXT", protocols)
        self.assertIn("--keyFile", self.services["mongo"]["entrypoint"][-1])
        self.assertIn("requirepass", self.services["redis"]["command"][-1])
        environ = {
            name: re.sub(r"\$\{\w+:\?[^}]*\}", "0" * 64, value)
            for name, value in self.services["message"]["environment"].items()
        }
        sources = Sources(file=SETTINGS, environ=environ)
        message = load_settings(MessageSettings, sources)
        self.assertEqual(message.kafka.sasl, "PLAIN")
        for password in (
            message.kafka.password,
            message.store_password,
            message.presence_password,
            message.peer.secrets[0],
        ):
            self.assertEqual(password.get_secret_value(), "0" * 64)
        load_settings(ConnectSettings, sources)

    def test_dockerfile(self) -> None:
        """
        Every file that the image copies exists, and no ignore rule excludes it.
        """
        text = (COMPOSE / "Dockerfile").read_text()
        kept = (COMPOSE / "Dockerfile.dockerignore").read_text().splitlines()
        copied = [
            source
            for line in re.findall(r"(?m)^COPY (?!--from)(.*)$", text)
            for source in line.split()[:-1]
            if not source.startswith("--")
        ]
        self.assertIn("deploy/compose/ready", copied)
        for source in copied:
            self.assertTrue((ROOT / source).exists(), source)
            self.assertIn(f"!{source}", kept)


class SettingsTests(SynchronousTestCase):
    """
    C{wsmsg.toml}, which the containers mount.
    """

    def test_checked(self) -> None:
        """
        C{wsmsg check-config} finds no mistake; it notes that the containers' network
        can read what passes.
        """
        result = CliRunner().invoke(check_config, [str(SETTINGS)])
        self.assertEqual(result.stdout, f"{SETTINGS}: no mistakes\n")
        notes = result.stderr.splitlines()
        self.assertEqual(len(notes), 4)
        self.assertTrue(all("is dialled without TLS" in note for note in notes))
        self.assertEqual(result.exit_code, 0)

    def test_backends(self) -> None:
        """
        The daemons use the servers that Compose starts, by their host names, and
        Connect finds every Message.
        """
        connect = load_settings(ConnectSettings, Sources(file=SETTINGS))
        message = load_settings(MessageSettings, Sources(file=SETTINGS))
        self.assertTrue(message.journal.startswith("kafka://kafka:19092/"))
        self.assertTrue(message.store.startswith("mongodb://mongo:27017/"))
        self.assertTrue(message.presence.startswith("redis://redis:6379"))
        self.assertTrue(connect.discovery.startswith(("redis://redis:6379", "dns:")))


def _has_compose(docker: str) -> bool:
    done = subprocess.run(
        [docker, "compose", "version"], capture_output=True, check=False
    )
    return done.returncode == 0
