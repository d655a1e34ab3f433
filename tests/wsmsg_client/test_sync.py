"""
Tests for L{wsmsg_client.sync}.
"""

from __future__ import annotations

import asyncio
import inspect
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from tests.asyncio_case import AsyncioCase
from tests.syntax import ROOT
from wsmsg_client import (
    BadRequest,
    Client,
    Closed,
    Forbidden,
    MessageReceived,
    RateLimited,
    Unauthenticated,
    Unavailable,
    sync,
)
from wsmsg_client.testing import FakeServer

T = TypeVar("T")

#: Waits for an event that does not come; Ctrl-C ends it.
WAITS = """
import sys
from wsmsg_client import Connected
from wsmsg_client.sync import Client

with Client(*sys.argv[1:]) as client:
    try:
        for event in client.events():
            print(type(event).__name__, flush=True)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
print(type(client.state).__name__, flush=True)
"""


class SyncCase(AsyncioCase):
    """
    A fake server, and programs without asyncio in other threads.
    """

    async def asyncSetUp(self) -> None:
        self.server = FakeServer()
        await self.server.start()
        self.addAsyncCleanup(self.server.close)

    async def run_program(self, program: Callable[[sync.Client], T]) -> T:
        """
        Run a program with a connected client of user 1, in a thread.
        """

        def whole() -> T:
            with sync.Client.from_env(self.server.environ(1), timeout_s=20) as client:
                return program(client)

        return await asyncio.to_thread(whole)


class SyncTests(SyncCase):
    """
    The client without asyncio.
    """

    def test_all_methods(self) -> None:
        """
        Each public method of the client is there, with the same parameters.
        """
        own = {"dial", "reconnect", "heartbeat_s", "checked_s"}
        for name, member in inspect.getmembers(Client):
            if name.startswith("_") or name in own:
                continue
            other = getattr(sync.Client, name)
            self.assertTrue(other.__doc__, name)
            if inspect.isfunction(member) and name not in ("events", "history"):
                self.assertEqual(
                    [*inspect.signature(other).parameters][1:],
                    [*inspect.signature(member).parameters][1:],
                    name,
                )

    async def test_script(self) -> None:
        """
        A script sends, reads an event, replies, and reads the history.
        """
        self.server.deliver("hello", sender=9, to=1)

        def script(client: sync.Client) -> list[str]:
            client.send(9, "good morning")
            for event in client.events():
                if isinstance(event, MessageReceived) and not event.mine:
                    client.reply(event, "hello to you")
                    client.mark_read(event.conversation, event.seq)
                    return [
                        m.content
                        for m in client.history(event.conversation)
                        if isinstance(m, MessageReceived)
                    ]
            raise AssertionError("the events ended")

        said = await self.run_program(script)
        self.assertEqual(said, ["hello", "good morning", "hello to you"])
        self.assertEqual(self.server.read(1, "u:1:9"), 1)
        # The server hears of the end when it has its turn.
        async with asyncio.timeout(20):
            while self.server.online(1):
                await asyncio.sleep(0)

    async def test_errors(self) -> None:
        """
        A refusal and a wrong argument are raised by the call.
        """
        self.server.refuse(Forbidden("no"))

        def script(client: sync.Client) -> None:
            self.assertRaises(Forbidden, client.send, 2, "hi")
            self.assertRaises(BadRequest, client.send, -1, "hi")
            self.assertRaises(BadRequest, client.history, "u:1:2", after=-1)
            self.assertRaises(BadRequest, client.typing, "")
            client.send(2, "hi")

        await self.run_program(script)
        self.assertEqual([m.content for m in self.server.messages], ["hi"])

    async def test_refused_login(self) -> None:
        """
        A login that the server refuses is raised by the with statement, and leaves no
        thread.
        """
        client = sync.Client(self.server.url, "another")

        def enter() -> None:
            with client:
                raise AssertionError("connected")

        with self.assertRaises(Unauthenticated):
            await asyncio.to_thread(enter)
        self.assertIsInstance(client.state, Closed)
        self.assertEqual(_threads(), [])

    async def test_from_several_threads(self) -> None:
        """
        Several threads send at the same time; each message is accepted once.
        """

        def script(client: sync.Client) -> None:
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(lambda n: client.send(2, f"text {n}"), range(100)))

        await self.run_program(script)
        said = sorted(m.content for m in self.server.messages)
        self.assertEqual(said, sorted(f"text {n}" for n in range(100)))

    async def test_one_reader(self) -> None:
        """
        A second thread that reads events is refused, as an event that one thread has
        taken would count as processed when the other asks.
        """

        def script(client: sync.Client) -> None:
            list(_all_of(client, timeout_s=0.2))  # nothing more comes
            waiting = threading.Thread(target=_all_of, args=(client, 20))
            waiting.start()
            try:
                while True:
                    try:
                        _all_of(client, timeout_s=0)
                    except RuntimeError as error:
                        self.assertIn("another thread", str(error))
                        return
            finally:
                client.close()
                waiting.join()  # as its iteration has ended

        await self.run_program(script)

    async def test_closed_meanwhile(self) -> None:
        """
        The end of the client ends all calls that wait in other threads.
        """
        self.server.refuse(RateLimited("later", 60_000))

        def script(client: sync.Client) -> list[BaseException | None]:
            with ThreadPoolExecutor(8) as pool:
                calls: list[Future[Any]] = [
                    pool.submit(client.send, 2, "never accepted"),
                    pool.submit(client.state_changed),
                    pool.submit(list, client.events()),
                ]
                while client.unsent == 0:
                    client.head("u:1:2")  # takes a turn of the client's thread
                client.close()
                return [call.exception(timeout=20) for call in calls]

        sent, changed, events = await self.run_program(script)
        self.assertIsInstance(sent, Unavailable)
        self.assertIsInstance(changed, Unavailable | None)
        self.assertIsNone(events)

    async def test_times(self) -> None:
        """
        A call that takes too long raises TimeoutError and is withdrawn; the client goes
        on.
        """

        def script(client: sync.Client) -> None:
            self.assertEqual(_all_of(client, timeout_s=0.05)[1:], [])
            self.server_loop.call_soon_threadsafe(self.server.disconnect)
            client.send(2, "hi")

        self.server_loop = asyncio.get_running_loop()
        await self.run_program(script)
        nobody = sync.Client("ws://127.0.0.1:9", "t", timeout_s=0.05)
        with self.assertRaises(TimeoutError):
            await asyncio.to_thread(nobody.connect)
        with self.assertRaises(TimeoutError):
            await asyncio.to_thread(nobody.send, 2, "hi")
        self.assertEqual(nobody.unsent, 0)
        await asyncio.to_thread(nobody.close)
        self.assertEqual(_threads(), [])

    async def test_short_times(self) -> None:
        """
        An event that comes at the moment at which the time ends is not lost.
        """
        wanted = [str(i) for i in range(400)]

        def script(client: sync.Client) -> list[str]:
            found: list[str] = []
            for i, text in enumerate(wanted):
                loop.call_soon_threadsafe(
                    partial(self.server.deliver, text, sender=9, to=1)
                )
                found += contents(client, (i % 20) * 0.0001)
            while len(found) < len(wanted):
                more = contents(client, 5)
                self.assertTrue(more, f"{len(found)} of {len(wanted)}")
                found += more
            return found

        def contents(client: sync.Client, timeout_s: float) -> list[str]:
            try:
                for event in client.events(timeout_s=timeout_s):
                    if isinstance(event, MessageReceived):
                        return [event.content]
            except TimeoutError:
                pass
            return []

        loop = asyncio.get_running_loop()
        self.assertEqual(await self.run_program(script), wanted)

    async def test_not_open(self) -> None:
        """
        Calls before the start and after the end are refused, and a second end does
        nothing.
        """
        client = sync.Client(self.server.url, self.server.token(1))
        with self.assertRaisesRegex(Unavailable, "not started"):
            client.send(2, "hi")
        client.close()
        await asyncio.to_thread(client.connect)
        await asyncio.to_thread(client.close)
        client.close()
        with self.assertRaisesRegex(Unavailable, "closed"):
            client.send(2, "hi")

    async def test_failed_program(self) -> None:
        """
        The event on which a program fails does not count as processed.
        """
        self.server.deliver("poison", sender=9, to=1)

        def script(client: sync.Client) -> None:
            for event in client.events():
                if isinstance(event, MessageReceived):
                    raise ValueError(event.content)

        with self.assertRaisesRegex(ValueError, "poison"):
            await self.run_program(script)
        self.assertEqual(self.server.delivered(1, "u:1:9"), 0)

    async def test_in_its_own_thread(self) -> None:
        """
        A call by a token function, which runs in the client's own thread, is refused
        instead of waiting for itself.
        """
        problems: list[str] = []

        def token() -> str:
            try:
                client.send(2, "hi")
            except RuntimeError as error:
                problems.append(str(error))
            return self.server.token(1)

        client = sync.Client(self.server.url, token, timeout_s=20)
        await asyncio.to_thread(client.connect)
        await asyncio.to_thread(client.close)
        self.assertIn("own thread", problems[0])

    async def test_interrupted(self) -> None:
        """
        Ctrl-C ends a program that waits for an event at once, and the connection in
        order.
        """
        program = await asyncio.create_subprocess_exec(
            # In the background of a shell, SIGINT is ignored.
            *("env", "--default-signal=INT", sys.executable, "-c", WAITS),
            *(self.server.url, self.server.token(1)),
            stdout=asyncio.subprocess.PIPE,
            cwd=ROOT,
        )
        assert program.stdout is not None
        async with asyncio.timeout(60):
            self.assertEqual(await program.stdout.readline(), b"Connected\n")
            program.send_signal(signal.SIGINT)
            rest = await program.stdout.read()
            self.assertEqual(await program.wait(), 0)
        self.assertEqual(rest, b"interrupted\nClosed\n")


def _all_of(client: sync.Client, timeout_s: float) -> list[Any]:
    """
    Return the events that come without a longer pause.
    """
    found = []
    try:
        for event in client.events(timeout_s=timeout_s):
            found.append(event)
    except TimeoutError:
        pass
    return found


def _threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "wsmsg-client"]
