"""
Tests of the files in C{deploy/compose}, as far as they need no containers.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sysconfig
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
ONE_SETTINGS = COMPOSE / "one.toml"
SCRIPTS = Path(sysconfig.get_path("scripts"))
#: The data directory of the image.
DATA = "/var/lib/wsmsg"
_KINDS = ((ConnectSettings, "connect"), (MessageSettings, "message"))
SERVERS = {"kafka", "mongo", "redis"}
DAEMONS = {"connect", "message"}
ONE = {"one-connect", "one-message"}
OBSERVERS = {"prometheus", "grafana"}
PROFILES = {"one": ONE, "stack": SERVERS | DAEMONS, "observe": OBSERVERS}


class ComposeTests(SynchronousTestCase):
    """
    C{compose.yaml}.
    """

    def setUp(self) -> None:
        text = (COMPOSE / "compose.yaml").read_text()
        self.file: dict[str, Any] = yaml.safe_load(text)
        self.services: dict[str, dict[str, Any]] = self.file["services"]

    def compose(self, *profiles: str) -> Any:
        """
        Return the file as Compose reads it, with some profiles.
        """
        secrets = {name: name.lower() for name in _secrets()}
        command = [str(SCRIPTS / "docker-compose"), "-f", str(COMPOSE / "compose.yaml")]
        command += [f"--profile={profile}" for profile in profiles]
        command += ["config", "--format", "json"]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": os.environ["PATH"], **secrets},
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return json.loads(done.stdout)

    def test_profiles(self) -> None:
        """
        Compose accepts the file, and each profile starts its services alone, each with
        a health check.
        """
        self.assertEqual(set(self.services), set().union(*PROFILES.values()))
        for profile, services in PROFILES.items():
            read = self.compose(profile)["services"]
            self.assertEqual(set(read), services)
            for name, service in read.items():
                self.assertEqual(service["healthcheck"]["test"][0], "CMD", name)
                for waited in service.get("depends_on", {}).values():
                    self.assertEqual(waited["condition"], "service_healthy", name)
        self.assertEqual(self.compose().get("services", {}), {})

    def test_least_privilege(self) -> None:
        """
        No daemon can write to its root, keep a capability or gain one.
        """
        services = self.compose("one", "stack", "observe")["services"]
        for name in ONE | DAEMONS | {"prometheus"}:
            self.assertTrue(services[name]["read_only"], name)
        for name in ONE | DAEMONS | OBSERVERS:
            self.assertEqual(services[name]["cap_drop"], ["ALL"], name)
            self.assertEqual(services[name]["security_opt"], ["no-new-privileges:true"])
        for name in ONE | DAEMONS:
            self.assertEqual(services[name]["tmpfs"], ["/tmp"])

    def test_one(self) -> None:
        """
        In the profile C{one}, both daemons share a volume for their data and a
        loopback, on which Connect finds Message, and need no secret and no server.
        """
        services = self.compose("one")["services"]
        for name in ONE:
            self.assertNotIn("environment", services[name])
            [data] = [v for v in services[name]["volumes"] if v["type"] == "volume"]
            self.assertEqual((data["source"], data["target"]), ("one", DATA))
        self.assertEqual(services["one-connect"]["network_mode"], "service:one-message")
        connect = load_settings(ConnectSettings, Sources(file=ONE_SETTINGS))
        message = load_settings(MessageSettings, Sources(file=ONE_SETTINGS))
        self.assertEqual(connect.discovery, f"static:{message.rpc_listen}")
        self.assertEqual((message.journal, message.store), ("sqlite:", "sqlite:"))
        [port] = services["one-message"]["ports"]
        self.assertEqual(connect.listen, f"0.0.0.0:{port['target']}")

    def test_images(self) -> None:
        """
        The servers' images are the official ones, with a version; Kafka's version is
        the tested one.
        """
        names = SERVERS | OBSERVERS
        images = {name: self.services[name]["image"] for name in names}
        for name, image in images.items():
            pattern = rf"^((apache|prom|grafana)/)?{name}:v?\d+(\.\d+)+$"
            self.assertRegex(image, pattern)
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
            for volume in service.get("volumes", ()):
                source = volume.partition(":")[0]
                if source.startswith("."):
                    self.assertTrue((COMPOSE / source).exists(), f"{name} {volume}")
                else:
                    self.assertIn(source, self.file["volumes"])

    def test_time_to_stop(self) -> None:
        """
        Compose gives a daemon longer to stop than its settings do.
        """
        for file, prefix in ((SETTINGS, ""), (ONE_SETTINGS, "one-")):
            for kind, name in _KINDS:
                settings = load_settings(kind, Sources(file=file))
                service = self.services[prefix + name]
                grace = float(service["stop_grace_period"].removesuffix("s"))
                self.assertGreater(grace, settings.drain.lead_s + settings.stop_s)

    def test_no_default_secret(self) -> None:
        """
        Compose starts nothing without the secrets; a command makes them, at random and
        for their owner only, and keeps those that are there.
        """
        text = (COMPOSE / "compose.yaml").read_text()
        secrets = _secrets()
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


class SettingsTests(SynchronousTestCase):
    """
    C{wsmsg.toml} and C{one.toml}, which the containers mount.
    """

    def test_one_checked(self) -> None:
        """
        C{wsmsg check-config} finds no mistake in the settings without servers.
        """
        result = CliRunner().invoke(check_config, [str(ONE_SETTINGS)])
        self.assertEqual(result.stdout, f"{ONE_SETTINGS}: no mistakes\n")
        self.assertEqual((result.stderr, result.exit_code), ("", 0))

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


def _secrets() -> set[str]:
    """
    Return the names of the secrets that the file needs.
    """
    return set(re.findall(r"\$\{(\w+)", (COMPOSE / "compose.yaml").read_text()))
