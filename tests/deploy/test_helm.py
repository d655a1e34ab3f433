"""
Tests of the chart in C{deploy/helm}, which Helm itself renders.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar
from unittest import SkipTest

import kubernetes_validate
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.trial.unittest import SynchronousTestCase

from tests.integration.security.certificates import Authority
from tools.helm import helm
from wsmsg.settings.sources import Sources, load_settings
from wsmsg.settings.values import ConnectSettings, MessageSettings

ROOT = Path(__file__).resolve().parent.parent.parent
CHART = ROOT / "deploy" / "helm" / "wsmsg"
STACK = ("--values", str(CHART / "ci" / "stack.yaml"))
#: Helm takes these for what the cluster has.
_CLUSTER = ("--kube-version", "1.31.0", "--namespace", "im")
_WORKLOADS = {"Deployment": "connect", "StatefulSet": "message"}
#: Kinds that the cluster does not have by itself.
_CUSTOM = {"ServiceMonitor"}


class HelmCase(SynchronousTestCase):
    """
    Base class that renders the chart.
    """

    def helm(self, *arguments: str) -> tuple[int, str, str]:
        """
        Run Helm.

        @return: its exit status, its output, and its errors.
        """
        program = helm()
        if program is None:
            if os.environ.get("WSMSG_HELM") == "required":
                self.fail("there is no helm; make helm-install builds it")
            raise SkipTest("there is no helm; make helm-install builds it")
        command = [str(program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def render(self, *arguments: str) -> list[Any]:
        """
        Render the chart as the release C{chat}.
        """
        command = ("template", "chat", str(CHART), *_CLUSTER, *arguments)
        status, output, errors = self.helm(*command)
        self.assertEqual((status, errors), (0, ""))
        return [document for document in yaml.safe_load_all(output) if document]


class ChartTests(HelmCase):
    """
    The chart with its defaults, and with everything that can be turned on.
    """

    every: ClassVar = ((), STACK)

    def test_lint(self) -> None:
        """
        Helm finds no fault in the chart.
        """
        for values in self.every:
            status, output, _ = self.helm("lint", "--strict", str(CHART), *values)
            self.assertEqual(status, 0, output)

    def test_valid(self) -> None:
        """
        Each object has the schema of its kind, without a field that the kind lacks.
        """
        for values in self.every:
            kinds = set()
            for document in self.render(*values):
                kinds.add(document["kind"])
                if document["kind"] not in _CUSTOM:
                    kubernetes_validate.validate(document, "1.31", strict=True)
            self.assertIn("NetworkPolicy", kinds)
        self.assertLessEqual({"HorizontalPodAutoscaler", "Ingress", *_CUSTOM}, kinds)

    def test_references(self) -> None:
        """
        Each object that names another one names one that there is: pods by labels,
        ports, services, workloads and volumes.
        """
        for values in self.every:
            documents = self.render(*values)
            names = {(d["kind"], d["metadata"]["name"]) for d in documents}
            for document in documents:
                self._check_references(document, documents, names)

    def _check_references(
        self, document: Any, documents: list[Any], names: set[tuple[str, str]]
    ) -> None:
        spec = document.get("spec", {})
        match document["kind"]:
            case "Service":
                ports = self._ports(documents, spec["selector"])
                targets = {port["targetPort"] for port in spec["ports"]}
                self.assertLessEqual(targets, ports)
            case "PodDisruptionBudget":
                self._ports(documents, spec["selector"]["matchLabels"])
            case "NetworkPolicy":
                ports = self._ports(documents, spec["podSelector"]["matchLabels"])
                allowed = {p["port"] for rule in spec["ingress"] for p in rule["ports"]}
                self.assertLessEqual(allowed, ports)
            case "HorizontalPodAutoscaler":
                target = spec["scaleTargetRef"]
                self.assertIn((target["kind"], target["name"]), names)
            case "StatefulSet" | "Deployment":
                if "serviceName" in spec:
                    self.assertIn(("Service", spec["serviceName"]), names)
                pod = spec["template"]["spec"]
                volumes = {v["name"] for v in pod["volumes"]}
                claims = spec.get("volumeClaimTemplates", ())
                volumes |= {claim["metadata"]["name"] for claim in claims}
                [container] = pod["containers"]
                mounts = [mount["name"] for mount in container["volumeMounts"]]
                self.assertEqual(set(mounts), volumes)
            case "Ingress":
                [path] = spec["rules"][0]["http"]["paths"]
                service = path["backend"]["service"]["name"]
                self.assertIn(("Service", service), names)
            case "ServiceMonitor":
                wanted = spec["selector"]["matchLabels"].items()
                found = [
                    d["spec"]["ports"][0]["name"]
                    for d in documents
                    if d["kind"] == "Service"
                    and wanted <= d["metadata"]["labels"].items()
                ]
                self.assertEqual(found, [spec["endpoints"][0]["port"]] * 2)

    def _ports(self, documents: list[Any], labels: Mapping[str, str]) -> set[str]:
        """
        Return the ports of the pods with these labels, of which there must be some.
        """
        pods = [pod for _, _, pod in _pods(documents)]
        found = [p for p in pods if labels.items() <= p["metadata"]["labels"].items()]
        self.assertEqual(len(found), 1, labels)
        [container] = found[0]["spec"]["containers"]
        return {port["name"] for port in container["ports"]}

    def test_settings(self) -> None:
        """
        The daemons accept the settings that the chart gives them; they listen on the
        ports of their containers, Connect looks up the service of the Messages, and
        Kubernetes gives them longer to stop than they take.
        """
        for values in self.every:
            documents = self.render(*values)
            for daemon, workload, pod in _pods(documents):
                settings = self.settings(daemon, documents, pod)
                ports = {
                    port["name"]: port["containerPort"]
                    for port in pod["spec"]["containers"][0]["ports"]
                }
                listens = {
                    "rpc": settings.rpc_listen,
                    "admin": settings.admin_listen,
                    "clients" if daemon == "connect" else "http": settings.listen,
                }
                for name, listen in listens.items():
                    self.assertEqual(int(listen.rpartition(":")[2]), ports[name])
                grace = pod["spec"]["terminationGracePeriodSeconds"]
                self.assertGreater(grace, settings.drain.lead_s + settings.stop_s)
                if daemon == "connect":
                    name = "chat-message-nodes.im.svc.cluster.local"
                    self.assertEqual(settings.discovery, f"dns:{name}:22004")
                else:
                    service = workload["spec"]["serviceName"]
                    self.assertEqual(service, "chat-message-nodes")

    def settings(self, daemon: str, documents: list[Any], pod: Any) -> Any:
        """
        Return the settings of a daemon in a pod, as the daemon reads them.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        [settings] = [d for d in documents if d["kind"] == "ConfigMap"]
        (folder / "wsmsg.toml").write_text(settings["data"]["wsmsg.toml"])
        files = _secrets_in(folder)
        environ = {}
        for variable in pod["spec"]["containers"][0]["env"]:
            value = variable.get("value", "x" * 40).replace("$(POD_IP)", "10.1.2.3")
            if value.startswith("/etc/wsmsg/"):
                public = "PUBLIC_KEY" in variable["name"]
                value = files["public" if public else Path(value).name]
            environ[variable["name"]] = value
        kind = ConnectSettings if daemon == "connect" else MessageSettings
        sources = Sources(file=folder / "wsmsg.toml", environ=environ)
        return load_settings(kind, sources)

    def test_least_privilege(self) -> None:
        """
        The pods run as a user without rights, with a root that they cannot write to,
        and without a token of the cluster.
        """
        for values in self.every:
            for _, _, pod in _pods(self.render(*values)):
                spec = pod["spec"]
                self.assertIs(spec["automountServiceAccountToken"], False)
                self.assertTrue(spec["securityContext"]["runAsNonRoot"])
                [container] = spec["containers"]
                security = container["securityContext"]
                self.assertTrue(security["readOnlyRootFilesystem"])
                self.assertIs(security["allowPrivilegeEscalation"], False)
                self.assertEqual(security["capabilities"], {"drop": ["ALL"]})
                text = (ROOT / "deploy" / "compose" / "Dockerfile").read_text()
                user = spec["securityContext"]["runAsUser"]
                self.assertIn(f"\nUSER {user}\n", text)

    def test_closed(self) -> None:
        """
        Without API keys, the HTTP of Message is on the loopback of its pod, and no
        service has it.
        """
        for values, listen in (((), "127.0.0.1:21004"), (STACK, "0.0.0.0:21004")):
            documents = self.render(*values)
            names = {d["metadata"]["name"] for d in documents if d["kind"] == "Service"}
            self.assertEqual("chat-message" in names, listen.startswith("0"))
            for daemon, _, pod in _pods(documents):
                if daemon == "message":
                    settings = self.settings(daemon, documents, pod)
                    self.assertEqual(settings.listen, listen)

    def test_kept(self) -> None:
        """
        The embedded journal and store are in a volume that outlives the release, and a
        changed setting starts the pods anew.
        """
        [message] = [d for d in self.render() if d["kind"] == "StatefulSet"]
        policy = message["spec"]["persistentVolumeClaimRetentionPolicy"]
        self.assertEqual(policy, {"whenDeleted": "Retain", "whenScaled": "Retain"})
        [claim] = message["spec"]["volumeClaimTemplates"]
        self.assertEqual(claim["metadata"]["name"], "data")
        changed = self.render("--set", "settings=[common]")
        for before, after in zip(_pods(self.render()), _pods(changed), strict=True):
            sums = [
                pod["metadata"]["annotations"]["checksum/settings"]
                for _, _, pod in (before, after)
            ]
            self.assertNotEqual(*sums)

    def test_mistakes(self) -> None:
        """
        Helm refuses values that are misspelt, out of range or contradictory, and names
        them.
        """
        for value, reason in (
            ("mesage.replicas=2", "'mesage' not allowed"),
            ("drain.leadSeconds=-1", "/drain/leadSeconds"),
            ("auth.peer.existingSecret=", "/auth/peer/existingSecret"),
            ("message.store=postgres://x", "/message/store"),
            ("message.replicas=2", "message.replicas above 1 needs message.journal"),
        ):
            command = ("template", "chat", str(CHART), *_CLUSTER, "--set", value)
            status, _, errors = self.helm(*command)
            self.assertEqual(status, 1, value)
            self.assertIn(reason, errors)


def _pods(documents: list[Any]) -> Iterator[tuple[str, Any, Any]]:
    """
    Return each daemon, its workload and the template of its pods.
    """
    for document in documents:
        if document["kind"] in _WORKLOADS:
            daemon = _WORKLOADS[document["kind"]]
            yield daemon, document, document["spec"]["template"]


def _secrets_in(folder: Path) -> Mapping[str, str]:
    """
    Write secrets into a folder.

    @return: their paths, by the names of the files that the pods mount.
    """
    authority = Authority(folder)
    cert, key = authority.issue("wsmsg-message", "wsmsg-message")
    public = Ed25519PrivateKey.generate().public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "public").write_bytes(pem)
    for name in ("secrets", "token"):
        (folder / name).write_text("s" * 40)
    written = {path.name: str(path) for path in folder.iterdir()}
    pair = {"tls.crt": cert, "tls.key": key, "ca.crt": authority.path}
    return {**written, **pair, "api.keys": str(folder / "api.keys")}
