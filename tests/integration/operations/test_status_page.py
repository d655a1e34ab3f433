"""
The events of the status page, with real daemons.
"""

from __future__ import annotations

from typing import Any

from tests.integration.cases import IntegrationTestCase, with_daemons
from tests.integration.installation import DaemonProcess
from tests.integration.status_events import Events
from tests.stalls import Span

#: Seconds within which a page shows what happened.
SHOWN_S = 2.0


class StatusEventsTests(IntegrationTestCase):
    """
    C{/events} of both admin listeners.
    """

    async def events(self, daemon: DaemonProcess) -> Events:
        """
        Open the events, until the test ends.
        """
        events = await Events.open(daemon)
        self.at_end(events.close)
        return events

    @with_daemons
    async def test_message_killed(self) -> None:
        """
        The page of Connect says within two seconds that Message is gone, and why, and
        within two seconds of its return that it is there again.
        """
        connect, message = self.installation.connect, self.installation.message
        events = await self.events(connect)
        span = Span()
        await message.kill()
        status = await events.until(lambda s: not s["ready"])
        span.check(SHOWN_S)
        address = f"127.0.0.1:{message.port('rpc_listen')}"
        self.assertIn(f"the Message at {address} cannot be reached", status["in_words"])
        [node] = status["connect"]["nodes"]
        self.assertEqual((node["node"], node["up"]), (address, False))
        await message.start()
        await connect.ready()
        span = Span()
        status = await events.until(lambda s: s["ready"])
        span.check(SHOWN_S)
        self.assertTrue(status["in_words"].startswith("Ready: "), status["in_words"])
        self.assertEqual(status["dependencies"][0]["losses"], 1)

    @with_daemons
    async def test_connect_killed(self) -> None:
        """
        The page of Message names a Connect that does not answer, and the one that is
        there afterwards.
        """
        connect, message = self.installation.connect, self.installation.message
        events = await self.events(message)
        status = await events.until(lambda s: any(n["up"] for n in _nodes(s)))
        [before] = [n["node"] for n in _nodes(status) if n["up"]]
        span = Span()
        await connect.kill()
        status = await events.until(lambda s: not any(n["up"] for n in _nodes(s)))
        span.check(SHOWN_S)
        self.assertIn(before, [n["node"] for n in _nodes(status)])
        await connect.start()
        await events.until(lambda s: any(n["up"] for n in _nodes(s)))

    @with_daemons
    async def test_charts(self) -> None:
        """
        A message that is sent is in the next sample and in the figures.
        """
        connect = self.installation.connect
        events = await self.events(connect)
        history = await events.next("history")
        names = [s for chart in history["charts"] for s in chart["series"]]
        await events.next("sample")
        sender, other = [await self.device(self.user()) for _ in range(2)]
        await sender.send_until_accepted(other.user, "m1", "hello")
        await other.expect("deliver")
        sample = await events.next("sample")
        self.assertEqual(len(sample), len(names))
        self.assertGreaterEqual(sample[names.index("accepted")], 1)
        self.assertEqual(sample[names.index("sessions")], 2)
        status = await events.next("status")
        self.assertGreaterEqual(status["figures"]["messages_accepted"], 1)

    @with_daemons
    async def test_stop(self) -> None:
        """
        A daemon that is stopped tells its pages so, ends their streams, and does not
        wait for them.
        """
        for daemon in (self.installation.connect, self.installation.message):
            events = await self.events(daemon)
            await events.next("status")
            span = Span()
            self.assertEqual(await daemon.terminate(), 0)
            span.check(10)
            while (status := await events.next("status")) is not None:
                if status["phase"] == "stopping":
                    self.assertIn("Not ready: stopping.", status["in_words"])


def _nodes(status: Any) -> list[Any]:
    return list(status["message"]["nodes"])
