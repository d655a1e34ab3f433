"""
The files of Prometheus and Grafana in C{deploy/compose}.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from unittest import SkipTest

import yaml
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.settings.sources import Sources, load_settings
from wsmsg.settings.values import ConnectSettings, MessageSettings

ROOT = Path(__file__).resolve().parent.parent.parent
COMPOSE = ROOT / "deploy" / "compose"
OBSERVE = COMPOSE / "observe"
DASHBOARDS = OBSERVE / "grafana" / "dashboards"
METRICS = ROOT / "docs" / "reference" / "metrics.md"


ALERTS = ROOT / "docs" / "how-to" / "alerts.md"

_SECTION = re.compile(r"^## (\w+)\n(.*?)(?=^## |\Z)", re.M | re.S)


def alert_rules() -> list[dict[str, Any]]:
    """
    Return the alert rules.
    """
    groups = yaml.safe_load((OBSERVE / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


class ObserveTests(SynchronousTestCase):
    """
    The files of Prometheus and Grafana.
    """

    def test_prometheus(self) -> None:
        """
        promtool accepts the files, and the alerts fire when they should.
        """
        promtool = shutil.which("promtool")
        if promtool is None:
            if os.environ.get("CI"):
                self.fail("there is no promtool; install Debian's package prometheus")
            raise SkipTest("there is no promtool")
        rules = Path(__file__).with_name("alerts_test.yml")
        for arguments in (
            ["check", "config", str(OBSERVE / "prometheus.yml")],
            ["test", "rules", str(rules)],
        ):
            command = [promtool, *arguments]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_targets(self) -> None:
        """
        Prometheus scrapes the admin ports of all daemons, which they open to it.
        """
        config = yaml.safe_load((OBSERVE / "prometheus.yml").read_text())
        found = {
            job["job_name"]: (set(dns["names"]), dns["port"])
            for job in config["scrape_configs"]
            for dns in job["dns_sd_configs"]
        }
        wanted = {
            "wsmsg-connect": ({"connect", "one-message"}, 23005),
            "wsmsg-message": ({"message", "one-message"}, 23004),
        }
        self.assertEqual(found, wanted)
        for file in (COMPOSE / "wsmsg.toml", COMPOSE / "one.toml"):
            for kind, name in (
                (ConnectSettings, "connect"),
                (MessageSettings, "message"),
            ):
                settings: Any = load_settings(kind, Sources(file=file))
                port = wanted[f"wsmsg-{name}"][1]
                self.assertEqual(settings.admin_listen, f"0.0.0.0:{port}")

    def test_metrics(self) -> None:
        """
        Each metric in the alerts and on the dashboard exists.
        """
        known = set(re.findall(r"^\| `(wsmsg_\w+)`", METRICS.read_text(), re.M))
        board = json.loads((DASHBOARDS / "wsmsg.json").read_text())
        asked = [rule["expr"] for rule in alert_rules()]
        asked += [t["expr"] for p in board["panels"] for t in p.get("targets", ())]
        self.assertGreater(len(asked), 30)
        for expression in asked:
            named = set(re.findall(r"\bwsmsg_[a-z_]*[a-z]\b(?!\()", expression))
            named = {re.sub("_(bucket|sum|count)$", "", name) for name in named}
            self.assertLessEqual(named, known, expression)

    def test_alerts(self) -> None:
        """
        Each alert has a severity, a duration, a summary, and a section of the page on
        alerts with its symptom, its cause and what to do; that page has no other.
        """
        sections = dict(_SECTION.findall(ALERTS.read_text()))
        rules = alert_rules()
        self.assertEqual([rule["alert"] for rule in rules], list(sections))
        for rule in rules:
            name, notes = rule["alert"], rule["annotations"]
            self.assertIn(rule["labels"]["severity"], ("warning", "critical"), name)
            self.assertRegex(rule["for"], r"^\d+[sm]$", name)
            self.assertEqual(set(notes), {"summary", "runbook_url"}, name)
            anchor = f"docs/how-to/alerts.md#{name.lower()}"
            self.assertEqual(notes["runbook_url"], anchor)
            said = f"**Symptom** ({rule['labels']['severity']}, after {rule['for']}):"
            for part in (said, "**Cause:**", "**What to do:**"):
                self.assertIn(part, sections[name], name)

    def test_alert_tests(self) -> None:
        """
        Each alert is tested with series that make it fire and with series that must
        not.
        """
        cases = yaml.safe_load(Path(__file__).with_name("alerts_test.yml").read_text())
        fires: dict[str, set[bool]] = {}
        for case in cases["tests"]:
            for test in case["alert_rule_test"]:
                fires.setdefault(test["alertname"], set()).add(bool(test["exp_alerts"]))
        wanted = {rule["alert"]: {True, False} for rule in alert_rules()}
        self.assertEqual(fires, wanted)

    def test_dashboard(self) -> None:
        """
        Grafana finds the dashboard and its source, and no two panels overlap.
        """
        [source] = yaml.safe_load(
            (DASHBOARDS.parent / "datasources" / "prometheus.yaml").read_text()
        )["datasources"]
        providers = yaml.safe_load((DASHBOARDS / "wsmsg.yaml").read_text())
        service = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"]
        mounted = service["grafana"]["volumes"][0].split(":")[1]
        [provider] = providers["providers"]
        self.assertEqual(provider["options"]["path"], f"{mounted}/dashboards")
        board = json.loads((DASHBOARDS / "wsmsg.json").read_text())
        used: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            if "datasource" in panel:
                self.assertEqual(panel["datasource"]["uid"], source["uid"])
            at = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(at["x"], at["x"] + at["w"])
                for y in range(at["y"], at["y"] + at["h"])
            }
            self.assertEqual(used & cells, set(), panel["title"])
            used |= cells
