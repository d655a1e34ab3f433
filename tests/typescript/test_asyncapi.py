"""
The description of the protocol, by the schema of AsyncAPI, which comes as a package for
Node.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path

import yaml
from jsonschema import Draft7Validator
from twisted.trial.unittest import SynchronousTestCase

from tools.typescript import PACKAGE

ROOT = Path(__file__).resolve().parent.parent.parent
SCHEMA = PACKAGE / "node_modules" / "@asyncapi" / "specs" / "schemas" / "3.0.0.json"


class AsyncApiTests(SynchronousTestCase):
    """
    C{docs/asyncapi.yaml}.
    """

    def test_valid(self) -> None:
        """
        The file is valid AsyncAPI 3.0, and a mistake in it is found.
        """
        text = (ROOT / "docs" / "asyncapi.yaml").read_text(encoding="utf-8")
        document = yaml.load(text, yaml.CSafeLoader)
        validator = Draft7Validator(json.loads(SCHEMA.read_text()))
        problems = [
            f"{list(e.absolute_path)}: {e.message}"
            for e in validator.iter_errors(document)
        ]
        self.assertEqual(problems, [])
        mistaken = copy.deepcopy(document)
        mistaken["operations"]["send"]["action"] = "publish"
        self.assertFalse(validator.is_valid(mistaken))
