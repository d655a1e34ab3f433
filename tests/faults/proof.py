"""
Runs of L{wsmsg.prove} as tests.

C{WSMSG_FAULTS} is the number of minutes for which each run injects faults.  The seed
is printed; C{WSMSG_SEED} sets it, and C{WSMSG_REPORTS} names a folder for the reports.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from wsmsg.prove.campaign.proof import Proof, ProofPlan
from wsmsg.prove.campaign.target import Target
from wsmsg.prove.checker import check
from wsmsg.prove.history import read_history
from wsmsg.prove.plant import PLANTS, plant
from wsmsg.prove.report import as_json, as_text

#: Long enough for some combinations, once each fault was there alone.
MINUTES = float(os.environ.get("WSMSG_FAULTS") or 2.0)


def tell(text: str) -> None:
    """
    Print progress for whoever watches the tests.
    """
    sys.__stderr__ and print(text, file=sys.__stderr__, flush=True)


class ProofTestCase(TestCase):
    """
    Base class of proofs.
    """

    timeout = 840 + MINUTES * 60

    def prove(
        self, make: Callable[[], Awaitable[Target]], faults: Sequence[str] = ()
    ) -> Deferred[None]:
        """
        Run a proof; then plant each violation in its history, and have it found.

        @param make: makes the deployment, not started.
        """
        return Deferred.fromFuture(asyncio.ensure_future(self._prove(make, faults)))

    async def _prove(
        self, make: Callable[[], Awaitable[Target]], faults: Sequence[str]
    ) -> None:
        seed = int(os.environ.get("WSMSG_SEED") or random.randrange(2**32))
        tell(f"\nseed {seed} (WSMSG_SEED={seed} repeats it)")
        plan = ProofPlan(
            minutes=MINUTES, seed=seed, history=Path(self.mktemp()), faults=faults
        )
        target = await make()
        try:
            document = await Proof(plan, target, tell).run()
        except BaseException:
            self._show_logs(target)
            raise
        finally:
            await target.close()
        tell(as_text(document))
        self._keep(target.name, document, plan.history)
        self.assertEqual(document["violations"], [])
        with plan.history.open(encoding="utf-8") as file:
            lines = [line for _, line in read_history(file)]
        for kind, (promise, _) in PLANTS.items():
            verdict = check(enumerate(plant(kind, lines), 1))
            self.assertGreater(verdict.counts[promise], 0, kind)

    def _show_logs(self, target: Target) -> None:
        assert target.installation is not None
        for daemon in target.installation.daemons:
            tell(f"--- {daemon.name}\n{daemon.tail()}")

    def _keep(self, name: str, document: dict[str, Any], history: Path) -> None:
        folder = os.environ.get("WSMSG_REPORTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            report = Path(folder, f"{name}-{document['seed']}.json")
            report.write_text(as_json(document), encoding="utf-8")
            if document["violations"]:
                shutil.copy(history, report.with_suffix(".jsonl"))
