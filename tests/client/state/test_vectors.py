"""
The shared vectors: the Python client does what they say, and so every other client can
be held to them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tools import make_vectors
from tools.make_vectors import VECTORS, filled_in, read


class VectorTests(SynchronousTestCase):
    """
    Tests of all files in C{protos/vectors}.
    """

    def setUp(self) -> None:
        logging.disable()
        self.addCleanup(logging.disable, logging.NOTSET)

    def test_python_client(self) -> None:
        """
        At each step of each scenario the Python client has the effects of the vectors.
        """
        files = sorted(VECTORS.glob("*.jsonl"))
        self.assertGreater(len(files), 9)
        for path in files:
            wanted = read(path)
            found = list(filled_in(path.stem, wanted))
            scenario = ""
            for step, expected in zip(found, wanted, strict=True):
                scenario = step.get("scenario", scenario)
                self.assertEqual(step, expected, f"{path.name}: {scenario}")

    def test_scenarios(self) -> None:
        """
        Every scenario has a name of its own and at least one step.
        """
        for path in VECTORS.glob("*.jsonl"):
            names: list[tuple[str, list[Any]]] = []
            for line in read(path):
                if "scenario" in line:
                    names.append((line["scenario"], []))
                else:
                    names[-1][1].append(line)
            self.assertEqual([n for n, steps in names if not steps], [], path.name)
            self.assertEqual(len({n for n, _ in names}), len(names), path.name)

    def test_nothing_asked(self) -> None:
        """
        A step that asks for something unknown is refused where it must be known.
        """
        make: Callable[[Any], Any] = make_vectors.ReconnectPlayer
        with self.assertRaisesRegex(ValueError, "no such step"):
            make({"url": "ws://h/"}).play({"at": 1, "nonsense": 1})
