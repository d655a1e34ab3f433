"""
Tests of runs against servers that lie, and servers that are down.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.prove.liar import Liar
from wsmsg.prove.campaign.proof import Proof, ProofPlan
from wsmsg.prove.campaign.target import remote
from wsmsg.prove.deployment.daemons import free_ports

_FIRST = 1001


class LiarTests(TestCase):
    """
    A server that anybody may have written.
    """

    timeout = 240

    def prove(self, *lies: str) -> Deferred[dict[str, Any]]:
        """
        Return the report of a run against a server with these lies.
        """
        history = Path(self.mktemp())

        async def body() -> dict[str, Any]:
            liar = Liar(*lies)
            await liar.start()
            try:
                target = await remote([liar.url], str, _FIRST)
                plan = ProofPlan(
                    minutes=0.05,
                    seed=5,
                    history=history,
                    faults=["cut"],
                    warm_s=0.5,
                    patience_s=2,
                )
                return await Proof(plan, target, lambda text: None).run()
            finally:
                await liar.stop()

        return Deferred.fromFuture(asyncio.ensure_future(body()))

    async def assert_convicted(self, lie: str, *promises: str) -> None:
        document = await self.prove(lie)
        self.assertFalse(document["holds"])
        broken = [promise for promise, n in document["promises"].items() if n]
        for promise in promises:
            self.assertIn(promise, broken, document["violations"][:5])

    async def test_honest(self) -> None:
        """
        A server that does not lie is not convicted.
        """
        document = await self.prove()
        self.assertEqual(document["violations"], [])
        self.assertGreater(document["messages"], 100)

    async def test_loses(self) -> None:
        """
        A server that accepts messages and does not store them breaks P1.
        """
        await self.assert_convicted("loses", "P1")

    async def test_doubles(self) -> None:
        """
        A server that pushes messages twice breaks P4.
        """
        await self.assert_convicted("doubles", "P4")

    async def test_reorders(self) -> None:
        """
        A server that pushes messages in another order breaks P4.
        """
        await self.assert_convicted("reorders", "P4")

    async def test_leaks(self) -> None:
        """
        A server that pushes messages to a stranger breaks P8.
        """
        await self.assert_convicted("leaks", "P8")


class CommandTests(SynchronousTestCase):
    """
    C{wsmsg prove} where there is nothing to prove.
    """

    def run_prove(self, *arguments: str) -> tuple[int, str]:
        """
        Run the command in a process, as it has an event loop of its own.

        @return: its exit status and its output.
        """
        command = [str(Path(sys.executable).parent / "wsmsg"), "prove", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def test_down(self) -> None:
        """
        A server that does not answer is named, with the reason.
        """
        url = f"ws://127.0.0.1:{free_ports(1)[0]}/api/v1/connect/ws"
        status, output = self.run_prove("--url", url, "--data-dir", self.mktemp())
        self.assertEqual(status, 1)
        self.assertIn(f"{url}: connection refused", output)

    def test_mistakes(self) -> None:
        """
        Options that exclude each other, and faults that nobody has, are refused.
        """
        for arguments, words in (
            (["--stack", "--embedded"], "exclude each other"),
            (["--config", "wsmsg.toml"], "need --url"),
            (["--faults", "kill,thunder"], "'thunder' is not one of kill, stop"),
            (["--minutes", "0"], "--minutes"),
        ):
            status, output = self.run_prove(*arguments)
            self.assertEqual(status, 2, output)
            self.assertIn(words, output)
