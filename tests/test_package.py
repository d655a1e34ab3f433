"""
The packages of a release, as C{make package} makes them.
"""

from __future__ import annotations

import json
from typing import Any

import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from twisted.trial.unittest import SynchronousTestCase

from tools.package import ROOT, bill_of
from wsmsg import __version__


def component(name: str, url: str) -> dict[str, Any]:
    """
    A component, installed from a URL.
    """
    return {
        "bom-ref": f"{name}==1",
        "name": name,
        "type": "library",
        "version": "1",
        "externalReferences": [{"type": "distribution", "url": url}],
    }


class VersionTests(SynchronousTestCase):
    """
    The version of the release.
    """

    def test_same(self) -> None:
        """
        The packages in other languages and the chart have the version of the server.
        """
        typescript = ROOT / "clients" / "typescript"
        for name in ("package.json", "package-lock.json"):
            found = json.loads((typescript / name).read_text())["version"]
            self.assertEqual(found, __version__, name)
        chart = ROOT / "deploy" / "helm" / "wsmsg" / "Chart.yaml"
        read = yaml.safe_load(chart.read_text())
        versions = (read["version"], read["appVersion"])
        self.assertEqual(versions, (__version__, __version__))


class BillTests(SynchronousTestCase):
    """
    The bill of materials of an environment.
    """

    def setUp(self) -> None:
        environment = {
            "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "version": 1,
            "metadata": {"tools": {"components": []}},
            "components": [
                component("attrs", "https://example.org/attrs"),
                component("wsmsg", "file:///home/somebody/wsmsg.tar.gz"),
            ],
            "dependencies": [{"ref": "wsmsg==1", "dependsOn": ["attrs==1"]}],
        }
        self.bill = bill_of("wsmsg", environment)

    def test_main(self) -> None:
        """
        The package is what the bill is about; the others are its components, and the
        bill is valid.
        """
        self.assertEqual(self.bill["metadata"]["component"]["name"], "wsmsg")
        self.assertEqual([c["name"] for c in self.bill["components"]], ["attrs"])
        validator = JsonStrictValidator(SchemaVersion.V1_6)
        self.assertIsNone(validator.validate_str(json.dumps(self.bill)))

    def test_no_paths(self) -> None:
        """
        The bill does not say where on this machine a package was, and says where else
        it is.
        """
        text = json.dumps(self.bill)
        self.assertNotIn("somebody", text)
        self.assertIn("https://example.org/attrs", text)
