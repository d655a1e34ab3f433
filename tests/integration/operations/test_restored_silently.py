"""
Tests of an older copy of everything, restored below everybody and without a word: only
clients know of it, and each of them sees whatever comes next.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

from tests.integration.cases import (
    IntegrationTestCase,
    eventually,
    metric,
    with_daemons,
)
from tests.integration.device import PATIENCE_S
from tests.integration.letter_client import LetterClient
from wsmsg.client import (
    Client,
    HistoryReplaced,
    HistoryRewound,
    MessageReceived,
)

_NEW = [f"c{n}" for n in range(1, 7)]
_SAYS_SO = "as the position of a client proves"


class Reader(Protocol):
    """
    The client of the one user who had more than the copy has.
    """

    async def connect(self) -> None: ...

    async def leave(self) -> None: ...

    async def shows(self, *texts: str) -> None: ...

    def forget_proof(self) -> None: ...

    @property
    def texts(self) -> list[str]: ...


class PythonReader:
    """
    The Python client, with its position file.

    @ivar told: the names of the events that said that the history changed.
    """

    def __init__(self, make: Callable[[], Client], file: Path) -> None:
        self.texts: list[str] = []
        self.told: list[str] = []
        self._make = make
        self._file = file
        self._first = ""
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()

    async def connect(self) -> None:
        self._client = self._make()
        self._task = asyncio.ensure_future(self._follow(self._client))
        async with asyncio.timeout(PATIENCE_S):
            await self._client.caught_up()

    async def _follow(self, client: Client) -> None:
        async with client:
            async for event in client.events():
                if isinstance(event, MessageReceived):
                    self.texts.append(event.content)
                elif isinstance(event, HistoryReplaced):
                    self.told.append(type(event).__name__)
                async with self._changed:
                    self._changed.notify_all()

    async def leave(self) -> None:
        await self._client.close()
        assert self._task is not None
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        self._first = self._first or self._saved()["position"]

    async def shows(self, *texts: str) -> None:
        async with asyncio.timeout(PATIENCE_S), self._changed:
            await self._changed.wait_for(lambda: set(texts) <= set(self.texts))

    def _saved(self) -> Any:
        return json.loads(self._file.read_bytes())

    def forget_proof(self) -> None:
        kept = {**self._saved(), "position": self._first, "witness": ""}
        self._file.write_text(json.dumps(kept))


class LetterReader:
    """
    A bare client that follows the page to the letter.
    """

    def __init__(self, user: int, dial: Callable[[], Awaitable[Any]]) -> None:
        self.client = LetterClient(user)
        self._dial = dial
        self._first = ""

    @property
    def texts(self) -> list[str]:
        return list(self.client.shown.values())

    async def connect(self) -> None:
        await self.client.connect(await self._dial())

    async def leave(self) -> None:
        await self.client.close()
        self._first = self._first or self.client.position

    async def shows(self, *texts: str) -> None:
        await self.client.shows(*texts)

    def forget_proof(self) -> None:
        self.client.position, self.client.witness = self._first, ""


class SilentlyTests(IntegrationTestCase):
    """
    One user has messages that the copy lacks, and nobody else knows of them.
    """

    alone = True
    timeout = 400

    def python(self) -> PythonReader:
        """
        Return a reader with the Python client.
        """
        installation, user = self.installation, self.user()
        file = installation.folder / "position.json"

        def make() -> Client:
            return Client(
                installation.url,
                installation.token(user),
                device="one",
                position_file=file,
            )

        self.reading = user
        return PythonReader(make, file)

    def letter(self) -> LetterReader:
        """
        Return a reader with a bare client.
        """
        user = self.reading = self.user()
        return LetterReader(user, lambda: self.dial(user))

    async def say(self, *texts: str) -> None:
        """
        Have messages to the reader accepted, from a device that keeps nothing.
        """
        device = await self.device(self.saying, "speaker")
        for text in texts:
            await device.send_until_accepted(self.reading, f"{text}-id", text)
        await device.close()

    async def restore_all(self) -> None:
        """
        Put the copy in the place of all data, and start both daemons.
        """
        installation = self.installation
        data = installation.folder / "data"
        await installation.connect.terminate()
        await installation.message.terminate()
        for path in data.glob("store.db*"):
            path.unlink()
        shutil.copy(installation.folder / "copy" / "store.db", data / "store.db")
        await installation.start()

    async def prepare(self, reader: Reader, *, proof: bool) -> None:
        """
        Give a reader two messages, copy the data, give it four more, and restore.

        @param proof: the reader keeps a position that is above the copy.
        """
        installation, self.saying = self.installation, self.user()
        await installation.start()
        await reader.connect()
        await self.say("a1", "a2")
        await reader.shows("a1", "a2")
        await reader.leave()
        await reader.connect()
        await reader.leave()
        await installation.message.terminate()
        shutil.copytree(installation.folder / "data", installation.folder / "copy")
        await installation.message.start()
        await installation.message.ready()
        await reader.connect()
        await self.say("b1", "b2", "b3", "b4")
        await reader.shows("b4")
        await reader.leave()
        if proof:
            await reader.connect()
            await reader.leave()
        else:
            reader.forget_proof()
        await self.restore_all()

    async def check(self, reader: Reader, *, proof: bool, before: bool) -> None:
        """
        Restore, and send six messages, which the reader shows.

        @param before: the messages are sent before the reader comes back.
        """
        await self.prepare(reader, proof=proof)
        if before:
            await self.say(*_NEW)
        await reader.connect()
        if not before:
            await self.say(*_NEW)
        await reader.shows(*_NEW)
        for text in _NEW:
            self.assertEqual(reader.texts.count(text), 1, reader.texts)
        if proof:
            await self.installation.message.until_logged(_SAYS_SO)
        else:
            self.assertEqual(self.installation.logged("begins a new epoch"), [])
        await reader.leave()

    @with_daemons
    async def test_python_proves(self) -> None:
        """
        The Python client shows a position above the copy: Message begins a new epoch,
        and six messages that follow are shown.
        """
        reader = self.python()
        await self.check(reader, proof=True, before=False)
        self.assertEqual(reader.told, ["HistoryReplaced"])

    @with_daemons
    async def test_python_proves_late(self) -> None:
        """
        The position proves it also when the store has gone on beyond that.
        """
        await self.check(self.python(), proof=True, before=True)

    @with_daemons
    async def test_python_alone(self) -> None:
        """
        Without such a position the Python client finds that the history was rewound,
        tells the program, and shows the six messages.
        """
        reader = self.python()
        await self.check(reader, proof=False, before=False)
        self.assertEqual(reader.told, [HistoryRewound.__name__])

    @with_daemons
    async def test_python_alone_late(self) -> None:
        """
        So it does when it comes back after the six messages.
        """
        reader = self.python()
        await self.check(reader, proof=False, before=True)
        self.assertEqual(reader.told, [HistoryRewound.__name__])

    @with_daemons
    async def test_letter_proves(self) -> None:
        """
        A bare client that keeps its position as the page says proves it too.
        """
        await self.check(self.letter(), proof=True, before=False)

    @with_daemons
    async def test_letter_alone(self) -> None:
        """
        Without such a position a bare client that follows the page shows the six
        messages.
        """
        reader = self.letter()
        await self.check(reader, proof=False, before=False)
        self.assertEqual(reader.client.anew, 1)

    @with_daemons
    async def test_letter_alone_late(self) -> None:
        """
        So it does when it comes back after the six messages.
        """
        reader = self.letter()
        await self.check(reader, proof=False, before=True)
        self.assertEqual(reader.client.anew, 1)

    @with_daemons
    async def test_witness(self) -> None:
        """
        A client that stays connected is given a witness, which covers what it was
        pushed after its position.
        """
        reader = self.letter()
        client, installation, self.saying = (
            reader.client,
            self.installation,
            self.user(),
        )
        await installation.start()
        await reader.connect()
        await self.say("a1")
        await reader.shows("a1")
        await installation.message.terminate()
        shutil.copytree(installation.folder / "data", installation.folder / "copy")
        await installation.message.start()
        await installation.message.ready()
        await self.say("b1", "b2")
        await reader.shows("b2")

        async def covered() -> bool:
            # The comparisons are more frequent after a stream came up.
            before = client.witness
            await client.ping()
            await asyncio.sleep(0.2)
            return bool(client.witness) and client.witness != before

        await eventually("a witness", covered)
        await reader.leave()
        client.position = ""
        await self.restore_all()
        await reader.connect()
        await installation.message.until_logged(_SAYS_SO)
        await self.say(*_NEW)
        await reader.shows(*_NEW)

    @with_daemons
    async def test_forged(self) -> None:
        """
        Positions that were altered, or made up, begin no epoch, before and after a
        restore; they are counted.
        """
        reader = self.letter()
        await self.prepare(reader, proof=True)
        good = reader.client.position
        for n in range(0, len(good), 7):
            text = good[:n] + ("A" if good[n] != "A" else "B") + good[n + 1 :]
            device = await self.dial(self.user())
            await device.greet(position=text)
            await device.close()
        message = self.installation.message
        self.assertGreater(
            await metric(message, "wsmsg_message_positions_forged_total"), 0
        )
        self.assertEqual(self.installation.logged("begins a new epoch"), [])
        # Whoever shows the authentic one proves it.
        device = await self.dial(self.user())
        await device.greet(position=good)
        await message.until_logged(_SAYS_SO)
