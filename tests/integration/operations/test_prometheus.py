"""
Tests with a real Prometheus that scrapes a running pair of daemons: the dashboard's
queries, the alert rules, and native histograms.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any
from unittest import SkipTest
from urllib.parse import quote

import yaml

from tests.integration.cases import IntegrationTestCase, eventually, with_daemons
from tests.integration.installation import free_ports, http_get
from wsmsg.protocol import client_pb2 as pb

OBSERVE = Path(__file__).resolve().parents[3] / "deploy" / "compose" / "observe"
_DASHBOARD = OBSERVE / "grafana" / "dashboards" / "wsmsg.json"

#: The conditions by which a panel hides what is 0.
_ABOVE_0 = re.compile(r" > 0$")


def dashboard_queries() -> list[str]:
    """
    Return the queries of all panels, as Grafana asks them over a short time.
    """
    panels = json.loads(_DASHBOARD.read_text())["panels"]
    found = [target["expr"] for p in panels for target in p.get("targets", ())]
    return [_ABOVE_0.sub("", q).replace("$__rate_interval", "15s") for q in found]


class Prometheus:
    """
    A Prometheus on a free port of loopback, with a folder of its own.

    @param targets: the addresses that it scrapes, by job.
    @param features: those that are off by default.
    """

    def __init__(self, targets: dict[str, str], features: str = "") -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="wsmsg-prometheus-"))
        self._targets = targets
        self._features = features
        [self._port] = free_ports(1)
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """
        Start it; it scrapes each second.
        """
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(OBSERVE / "alerts.yml")],
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": [target]}]}
                for job, target in self._targets.items()
            ],
        }
        file = self._folder / "prometheus.yml"
        file.write_text(yaml.safe_dump(config))
        options = [f"--enable-feature={self._features}"] if self._features else []
        self._process = await asyncio.create_subprocess_exec(
            "prometheus",
            f"--config.file={file}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--log.level=warn",
            *options,
        )

    async def stop(self) -> None:
        """
        Stop it, and remove its folder.
        """
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def ask(self, path: str) -> Any:
        """
        Return the data of a call of its API; L{None}: it does not answer yet.
        """
        status, document = await http_get(self._port, f"/api/v1/{path}")
        if status != 200:
            return None
        return document["data"]

    async def query(self, expression: str) -> list[Any]:
        """
        Return the series that an expression has now.
        """
        data = await self.ask(f"query?query={quote(expression)}")
        return list(data["result"]) if data is not None else []


class PrometheusTests(IntegrationTestCase):
    """
    A Prometheus that scrapes both daemons.
    """

    async def run_test(self, test: Any) -> None:
        if shutil.which("prometheus") is None:
            test.close()
            if os.environ.get("CI"):
                self.fail("there is no prometheus; install Debian's package")
            raise SkipTest("there is no prometheus")
        await super().run_test(test)

    async def prometheus(self, features: str = "") -> Prometheus:
        """
        Return a Prometheus that has scraped both daemons.
        """
        connect, message = self.installation.connect, self.installation.message
        found = Prometheus(
            {
                "wsmsg-connect": f"127.0.0.1:{connect.port('admin_listen')}",
                "wsmsg-message": f"127.0.0.1:{message.port('admin_listen')}",
            },
            features,
        )
        self.at_end(found.stop)
        await found.start()

        async def scraped() -> bool:
            return len(await found.query("up == 1")) == 2

        await eventually("both are scraped", scraped)
        return found

    async def talk(self) -> None:
        """
        Have two users exchange messages, and a stranger refused, until the end of the
        test.
        """
        one, two = self.user(), self.user()
        sender, receiver = await self.device(one), await self.device(two)

        async def go_on() -> None:
            n = 0
            while True:
                await sender.send(two, f"m{n}", "hello")
                pushed = await receiver.expect("deliver")
                confirmed = pb.Delivered(
                    conversation=pushed.conversation, seq=pushed.seq
                )
                await receiver.send_frame(delivered=confirmed)
                await http_get(self.installation.message.port("listen"), "/healthz")
                n += 1
                await asyncio.sleep(0.05)  # the pace of the load

        async def end() -> None:
            talking.cancel()
            await asyncio.gather(talking, return_exceptions=True)

        talking = asyncio.ensure_future(go_on())
        self.at_end(end)
        stranger = await self.dial(self.user())
        await stranger.send_frame(hello=pb.Hello(device="d", token="forged"))
        await stranger.closed()

    @with_daemons
    async def test_dashboard(self) -> None:
        """
        Each query of the dashboard returns data, but for those about a journal, which
        this installation has not; and no alert fires.
        """
        prometheus = await self.prometheus()
        await self.talk()
        queries = dashboard_queries()
        self.assertGreater(len(queries), 50)
        lacking = [q for q in queries if "wsmsg_message_journal_append" not in q]
        self.assertEqual(len(queries) - len(lacking), 1)

        async def all_have_data() -> bool:
            for query in list(lacking):
                values = [s["value"][1] for s in await prometheus.query(query)]
                if any(value != "NaN" for value in values):
                    lacking.remove(query)
            return not lacking

        try:
            await eventually("all queries have data", all_have_data)
        except TimeoutError:
            self.fail(f"no data for {lacking}")
        alerts = (await prometheus.ask("alerts"))["alerts"]
        firing = [a["labels"] for a in alerts if a["state"] == "firing"]
        self.assertEqual(firing, [])

    @with_daemons
    async def test_rules(self) -> None:
        """
        Prometheus evaluates each alert rule without an error.
        """
        prometheus = await self.prometheus()

        async def evaluated() -> bool:
            [group] = (await prometheus.ask("rules"))["groups"]
            return {rule["health"] for rule in group["rules"]} == {"ok"}

        await eventually("all rules are evaluated", evaluated)

    @with_daemons
    async def test_native_histograms(self) -> None:
        """
        A Prometheus with native histograms reads the protobuf page: quantiles of the
        stages come from it, within the quantiles of the classic buckets.
        """
        prometheus = await self.prometheus("native-histograms")
        await self.talk()
        stage = 'wsmsg_stage_seconds{stage="received_durable"}'
        query = f"histogram_quantile(0.5, rate({stage}[15s]))"
        found: list[float] = []

        async def has_data() -> bool:
            found[:] = [float(s["value"][1]) for s in await prometheus.query(query)]
            return any(0 < value < 64 for value in found)

        await eventually("there is a quantile", has_data)
        counted = await prometheus.query(f"histogram_count({stage})")
        self.assertGreater(float(counted[0]["value"][1]), 0)
        # Counters, levels and the info are there under the names of the text.
        for name in (
            "wsmsg_connect_sends_total",
            "wsmsg_connect_sessions",
            "wsmsg_build_info",
            "process_resident_memory_bytes",
        ):
            self.assertNotEqual(await prometheus.query(name), [], name)
