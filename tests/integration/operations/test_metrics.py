"""
Tests of the metrics of real daemons, as a scraper reads them.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from typing import Any, ClassVar
from unittest import SkipTest

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.integration.cases import IntegrationTestCase, eventually, with_daemons
from tests.integration.installation import DaemonProcess, http_get, http_post
from tools.metric_rows import metric_rows
from wsmsg.monitoring.measures.exposition import PROTOBUF
from wsmsg.protocol import client_pb2 as pb

_FORMATS = ("text/plain", "application/openmetrics-text", PROTOBUF)
_STAGES = {
    "connect": {
        "frame_accepted",
        "pushed_written",
        "received_written",
        "queued_delivered",
        "received_delivered",
    },
    "message": {"received_durable", "received_stored", "stored_pushed"},
}


class MetricsTests(IntegrationTestCase):
    """
    The pages of metrics of a Connect and a Message.
    """

    async def samples(self, daemon: DaemonProcess) -> list[Sample]:
        """
        Return all samples of a daemon.
        """
        _, text = await daemon.get("/metrics")
        families = text_string_to_metric_families(str(text))
        return [sample for family in families for sample in family.samples]

    async def value(self, daemon: DaemonProcess, name: str, **labels: str) -> float:
        """
        Return the value of a sample.
        """
        return sum(
            sample.value
            for sample in await self.samples(daemon)
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    async def scrape(self, daemon: DaemonProcess, accept: str) -> None:
        """
        Read the page of a daemon in a format.
        """
        port = daemon.port("admin_listen")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"GET /metrics HTTP/1.0\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n"
        writer.write(head.encode())
        answer = await reader.read()
        writer.close()
        self.assertIn(b" 200 ", answer.partition(b"\r\n")[0])

    async def talk(self, messages: int) -> None:
        """
        Send messages from one user to another, whose client confirms each.
        """
        one, two = self.user(), self.user()
        sender, receiver = await self.device(one), await self.device(two)
        for n in range(messages):
            await sender.send(two, f"m{n}", "hello")
            pushed = await receiver.expect("deliver")
            confirmed = pb.Delivered(conversation=pushed.conversation, seq=pushed.seq)
            await receiver.send_frame(delivered=confirmed)

    @with_daemons
    async def test_stages(self) -> None:
        """
        Each message is counted in each stage of its way, by the daemon that sees it.
        """
        daemons = (self.installation.connect, self.installation.message)

        async def counted(daemon: DaemonProcess, stage: str) -> float:
            name = "wsmsg_stage_seconds_count"
            return await self.value(daemon, name, stage=stage)

        before = {
            (d.name, stage): await counted(d, stage)
            for d in daemons
            for stage in _STAGES[d.name]
        }
        await self.talk(5)
        for daemon in daemons:
            for stage in _STAGES[daemon.name]:
                # Only one message of a session at a time is a sample.
                least = 1 if stage.endswith("_delivered") else 5
                wanted = before[daemon.name, stage] + least

                async def passed(d: DaemonProcess = daemon, s: str = stage) -> bool:
                    return await counted(d, s) >= wanted  # noqa: B023

                await eventually(f"all have passed {stage}", passed)

    @with_daemons
    async def test_resources(self) -> None:
        """
        The pages have the bytes of frames by codec, the turns of the reactor, the
        durations of logins, batches, round trips and calls of HTTP, changes of
        presence, reconnects, refusals, and the resources of the process.
        """
        await self.talk(1)
        connect, message = self.installation.connect, self.installation.message
        device = await self.device(self.user())
        await device.close()
        again = await self.device(device.user)
        send = pb.Send(client_id="m", group=10**9, content="hello")
        await again.send_frame(send=send)
        await again.expect("rejected")
        await http_get(message.port("listen"), "/api/v1/users/1/groups")
        for daemon in (connect, message):
            for name in (
                "wsmsg_build_info",
                "wsmsg_ready",
                "wsmsg_reactor_turn_seconds_count",
                "python_gc_collections_total",
                "process_cpu_seconds_total",
                "process_resident_memory_bytes",
                "process_open_fds",
            ):
                self.assertGreater(await self.value(daemon, name), 0, name)
        for daemon, name in (
            (connect, "wsmsg_connect_received_bytes_total"),
            (connect, "wsmsg_connect_sent_bytes_total"),
            (connect, "wsmsg_connect_login_seconds_count"),
            (connect, "wsmsg_connect_reconnects_total"),
            (connect, "wsmsg_connect_rejected_total"),
            (message, "wsmsg_message_rejected_total"),
            (message, "wsmsg_message_http_seconds_count"),
            (message, "wsmsg_message_store_batch_seconds_count"),
            (message, "wsmsg_message_stream_round_trip_seconds_count"),
            (message, "wsmsg_message_presence_changes_total"),
        ):
            self.assertGreater(await self.value(daemon, name), 0, name)
        outbox = await self.value(connect, "wsmsg_connect_outbox_bytes")
        self.assertEqual(outbox, 0)

    @with_daemons
    async def test_levels(self) -> None:
        """
        The page of Message has the age and the length of the journal, the age of what a
        Connect has not acknowledged, and the dead letters, while all of them are zero.
        """
        message = self.installation.message
        there = {s.name for s in await self.samples(message)}
        self.assertLessEqual(
            {
                "wsmsg_message_oldest_unsettled_seconds",
                "wsmsg_message_link_oldest_push_seconds",
                "wsmsg_message_journal_lag",
                "wsmsg_message_journal_lag_bytes",
                "wsmsg_message_journal_append_seconds_count",
                "wsmsg_message_dead_letters_total",
            },
            there,
        )

    @with_daemons
    async def test_documented(self) -> None:
        """
        Each metric of the pages is in the reference, and promtool accepts both pages.
        """
        await self.talk(1)
        known = {row.name for row in metric_rows()}
        for daemon in (self.installation.connect, self.installation.message):
            _, text = await daemon.get("/metrics")
            named = set(re.findall(r"^# TYPE (wsmsg_\w+)", str(text), re.M))
            named -= {name for name in named if name.endswith("_created")}
            self.assertEqual(named - known, set())
            promtool = shutil.which("promtool")
            if promtool is None:
                raise SkipTest("there is no promtool")
            done = subprocess.run(
                [promtool, "check", "metrics"],
                input=str(text),
                capture_output=True,
                text=True,
                check=False,
            )
            found = re.findall(r"^.*wsmsg.*$", done.stdout + done.stderr, re.M)
            self.assertEqual(found, [])

    @with_daemons
    async def test_hostile_labels(self) -> None:
        """
        Whatever clients and callers of HTTP send, each value of a label was there
        before: none is chosen by anybody but the daemons.
        """
        connect, message = self.installation.connect, self.installation.message
        await self.talk(1)

        async def series() -> set[str]:
            return {
                f"{daemon.name} {s.name}{s.labels}"
                for daemon in (connect, message)
                for s in await self.samples(daemon)
                if s.labels
            }

        before = await series()
        for n in range(12):
            device = await self.dial(self.user())
            hello = pb.Hello(device=f"evil{n}", token=f"evil{n}", client=f"evil{n}")
            await device.send_frame(hello=hello)
            await device.send_frame(
                send=pb.Send(client_id="evil", to=n, content="evil")
            )
            await device.closed()
        user = self.user()
        for n in range(3):
            device = await self.device(user, f"evil{n}")
            await device.send_frame(
                send=pb.Send(client_id=f"evil{n}", group=10**9 + n, content="evil")
            )
            await device.expect("rejected")
            await device.send_frame(sync=pb.Sync(id="evil", conversation=f"evil{n}"))
            await device.expect("error")
            await device.close(4900 + n, f"evil{n}")
        for daemon, listener in (
            (message, "listen"),
            (message, "admin_listen"),
            (connect, "listen"),
            (connect, "admin_listen"),
        ):
            for path in ("/evil", "/api/v1/evil", "/api/v1/messages/evil/life"):
                await http_get(daemon.port(listener), path)
                await http_post(daemon.port(listener), path, {"evil": "evil"})
        self.assertEqual(await series() - before, set())

    @with_daemons
    async def test_scraped_often(self) -> None:
        """
        A hundred scrapes at once are all answered, while messages go on.
        """
        connect = self.installation.connect
        pages = asyncio.gather(*(connect.get("/metrics") for _ in range(100)))
        await self.talk(5)
        self.assertEqual({status for status, _ in await pages}, {200})

    @with_daemons
    async def test_scraped_each_100_ms(self) -> None:
        """
        A scraper that asks every 100 ms is answered each time, in each format, and
        nothing grows: neither series nor open files nor memory.
        """
        connect = self.installation.connect
        await self.talk(1)
        loop = asyncio.get_running_loop()

        async def scrape(times: int) -> tuple[int, float, float]:
            begun_s = loop.time()
            for n in range(times):
                await self.scrape(connect, _FORMATS[n % len(_FORMATS)])
                await asyncio.sleep(max(0.0, begun_s + 0.1 * (n + 1) - loop.time()))
            samples = await self.samples(connect)
            values = {s.name: s.value for s in samples}
            bytes_, files = "process_resident_memory_bytes", "process_open_fds"
            return len(samples), values[files], values[bytes_]

        n_before, files_before, bytes_before = await scrape(30)
        n_after, files_after, bytes_after = await scrape(60)
        self.assertEqual((n_after, files_after), (n_before, files_before))
        self.assertLess(bytes_after - bytes_before, 2**20)


class BusyTests(IntegrationTestCase):
    """
    A Connect whose every turn of the reactor is too long.
    """

    connect: ClassVar[dict[str, Any]] = {"ready.turn_s": 0.00001}

    @with_daemons
    async def test_not_ready(self) -> None:
        """
        It reports that it is not ready, with the setting that says so, and serves the
        clients that it has.
        """
        connect = self.installation.connect
        one, two = self.user(), self.user()
        sender, receiver = await self.device(one), await self.device(two)
        await connect.ready(False)
        _, told = await connect.get("/readyz")
        self.assertIn("ready.turn_s", told["reason"])
        self.assertFalse(hasattr(await sender.send(two, "m", "hello"), "code"))
        await receiver.expect("deliver")
