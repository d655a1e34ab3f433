"""
The load of a proof: users who talk in pairs and in a group, come and go, repeat
themselves, watch each other, and try what is forbidden.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from typing import Any

from wsmsg.model import group_conversation
from wsmsg.protocol import client_pb2 as pb
from wsmsg.prove.clients.program import Program
from wsmsg.prove.clients.recorded import AbsentClient, GuestClient, RecordedClient
from wsmsg.prove.history import HistoryWriter

#: The users of a load, of which some talk as pairs with raw frames.
USERS = 32
_TALKERS = 12
_PROGRAMS = range(12, 16)
_GUEST, _OUTSIDER = 16, 17
_WATCHERS = range(18, 20)
_VANISHING = range(20, 24)
_PROBES = (24, 25)
READER, PUMP = 26, 27
#: Sends without an answer with which a talker waits.
_PATIENT = 30
#: One in so many sends is followed by a repeat; goes to the group, or to who vanishes.
_REPEATS, _TO_GROUP, _TO_VANISHING = 15, 6, 8
_LONGEST = 400
#: Seconds for which users are away: longer than a ghost may stay.
_AWAY_S = (6.5, 9.0)
_THERE_S = (1.0, 4.0)
_STAYS_S = (0.5, 3.0)
PATIENCE_S = 60.0

TokenOf = Callable[[int], str]


class Crowd:
    """
    All users of a run.

    @param urls: the URLs of Connects, which may change.
    @param token_of: returns the token of a user.
    @param first: the first of L{USERS} users.
    @param pause_s: the mean time between the sends of one user, in seconds.
    @ivar talkers: the clients with raw frames that talk in pairs.
    @ivar group: the number of the group; 0: it is not made yet.
    """

    def __init__(
        self,
        history: HistoryWriter,
        urls: Sequence[str],
        token_of: TokenOf,
        first: int,
        rng: random.Random,
        pause_s: float,
    ) -> None:
        self.group = 0
        self.history = history
        self.urls = urls
        self._token_of = token_of
        self._first = first
        self._random = rng
        self._pause_s = pause_s
        self._is_talking = True
        self._over = asyncio.Event()
        self._tasks: list[asyncio.Task[Any]] = []
        self._probes = 0
        vanishing = [first + n for n in _VANISHING]
        self.talkers = [self.client(n) for n in range(_TALKERS)]
        self.programs = [self._program(n) for n in _PROGRAMS]
        self.guest = self.client(_GUEST, kind=GuestClient)
        self.outsider = self.client(_OUTSIDER)
        self.watchers = [self.client(n, watches=vanishing) for n in _WATCHERS]
        self.vanishing = [self.client(n, kind=AbsentClient) for n in _VANISHING]
        self.probing = [self.client(n) for n in _PROBES]
        self.reader = self.client(READER, kind=AbsentClient)
        self.pump = self.client(PUMP)

    def client(
        self,
        n: int,
        device: str = "raw",
        watches: Sequence[int] = (),
        kind: type[RecordedClient] = RecordedClient,
    ) -> RecordedClient:
        """
        Return a client of the user with this number among the users of the load.
        """
        user = self._first + n
        urls = _Turned(self.urls, n)
        token = self._token_of(user)
        return kind(self.history, urls, token, user, device, watches)

    def _program(self, n: int) -> Program:
        user = self._first + n
        url = self.urls[n % len(self.urls)]
        return Program(self.history, url, self._token_of(user), user)

    @property
    def raw(self) -> list[RecordedClient]:
        """
        Return all clients with raw frames.
        """
        own = [self.guest, self.outsider, self.reader, self.pump]
        pairs = [*self.talkers, *self.probing]
        return [*pairs, *self.watchers, *self.vanishing, *own]

    @property
    def members(self) -> list[int]:
        """
        Return the users who are in the group from its first message on.
        """
        programs = [program.user for program in self.programs[:2]]
        return [*programs, *(c.user for c in [*self.talkers[:2], self.vanishing[0]])]

    def users_of(self, numbers: Iterable[int]) -> list[int]:
        """
        Return the users with these numbers among those of the load.
        """
        return [self._first + n for n in numbers]

    # -- lifetime

    async def start(self) -> None:
        """
        Let all users come and talk.
        """
        for client in self.raw:
            client.start()
        for program in self.programs:
            program.start()
        owner = self.programs[0]
        others = [user for user in self.members if user != owner.user]
        async with asyncio.timeout(PATIENCE_S):
            self.group = await owner.create_group("prove", others)
        for n, client in enumerate(self.talkers):
            self._do(self._talk(client, self.talkers[n ^ 1].user, n < 2))
        for n, program in enumerate(self.programs):
            self._do(self._talk_by_program(program, self.programs[n ^ 1].user, n < 2))
        for clients in (self.vanishing[:2], self.vanishing[2:]):
            self._do(self._vanish_in_turn(clients))
        self._do(self._change_members(owner))
        self._do(self._intrude())

    async def end_talking(self) -> None:
        """
        Let everybody stop and stay, and wait until the last sends are accepted.
        """
        self._is_talking = False
        self._over.set()
        _, late = await asyncio.wait(self._tasks, timeout=PATIENCE_S)
        for task in late:
            task.cancel()
        failures = [
            t.exception() for t in self._tasks if t.done() and not t.cancelled()
        ]
        for failure in failures:
            if failure is not None:
                raise failure

    async def stop(self) -> None:
        """
        Let all users go.
        """
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(
            *(client.vanish() for client in self.raw),
            *(program.stop() for program in self.programs),
            return_exceptions=True,
        )

    def _do(self, what: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.ensure_future(what))

    # -- what users do

    async def probe(self) -> None:
        """
        Send a message, and wait until it arrives.
        """
        sender, recipient = self.probing
        self._probes += 1
        body = f"{sender.user} probes {self._probes}"
        await sender.send(recipient.user, body)
        await recipient.until(lambda: body in recipient.taken_s, PATIENCE_S)

    def body(self, user: int, n: int) -> str:
        """
        Return a content that no other message has.
        """
        return f"{user} says {n} {'.' * self._random.randrange(_LONGEST)}"

    async def _pause(self) -> None:
        await asyncio.sleep(self._pause_s * self._random.uniform(0.5, 1.5))

    async def _rest(self, between_s: tuple[float, float]) -> None:
        """
        Wait for a while, or until nobody talks any more.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(self._random.uniform(*between_s)):
                await self._over.wait()

    async def _talk(self, client: RecordedClient, other: int, in_group: bool) -> None:
        n = 0
        while self._is_talking:
            await self._pause()
            if client.waiting >= _PATIENT:
                continue
            n += 1
            body = self.body(client.user, n)
            if in_group and self._one_in(_TO_GROUP):
                await client.send(0, body, self.group)
            elif self._one_in(_TO_VANISHING):
                await client.send(self._random.choice(self.vanishing).user, body)
            else:
                client_id = await client.send(other, body)
                if self._one_in(_REPEATS):
                    await self._repeat(client, client_id, other, body)

    async def _repeat(
        self, client: RecordedClient, client_id: str, other: int, body: str
    ) -> None:
        try:
            await client.until(lambda: client_id in client.accepted, PATIENCE_S)
        except TimeoutError:
            return
        if self._one_in(2):
            body += " and something else"
        send = pb.Send(client_id=client_id, to=other, content=body)
        await client.say_again(send)

    async def _talk_by_program(
        self, program: Program, other: int, in_group: bool
    ) -> None:
        n = 0
        while self._is_talking:
            await self._pause()
            n += 1
            body = self.body(program.user, n)
            if in_group and self._one_in(_TO_GROUP):
                await program.send(0, body, self.group)
            else:
                await program.send(other, body)

    async def _vanish_in_turn(self, clients: Sequence[RecordedClient]) -> None:
        while self._is_talking:
            for client in clients:
                await self._vanish(client)
                if not self._is_talking:
                    return

    async def _vanish(self, client: RecordedClient) -> None:
        about = {"user": client.user}
        await self._rest(_THERE_S)
        is_silent = self._one_in(2)
        if is_silent:
            client.freeze()
        else:
            await client.vanish()
        self.history.info("gone", **about)
        await self._rest(_AWAY_S)
        if is_silent:
            await client.vanish()
        self.history.info("back", **about)
        client.start()

    async def _change_members(self, owner: Program) -> None:
        guest = [self.guest.user]
        while self._is_talking:
            await owner.change_group(self.group, add=guest)
            await self._rest(_STAYS_S)
            await owner.change_group(self.group, remove=guest)
            await self._rest(_STAYS_S)

    async def _intrude(self) -> None:
        """
        Send to a group of others.
        """
        n = 0
        while self._is_talking:
            n += 1
            client_id = f"intruder-{n}"
            body = self.body(self.outsider.user, n)
            send = pb.Send(client_id=client_id, group=self.group, content=body)
            await self.outsider.try_to_send(send)
            await self._rest(_THERE_S)

    def _one_in(self, n: int) -> bool:
        return self._random.randrange(n) == 0

    # -- the conversations

    def conversations(self) -> dict[str, tuple[int, set[str]]]:
        """
        Return for each conversation a user who reads it, and the bodies of its
        accepted messages.
        """
        found: dict[str, tuple[int, set[str]]] = {}
        for client in self.raw:
            for conversation, body in client.accepted_bodies():
                self._note(found, conversation, body)
        for program in self.programs:
            for conversation, body in program.accepted:
                self._note(found, conversation, body)
        group = group_conversation(self.group)
        found.setdefault(group, (self.programs[0].user, set()))
        return found

    def _note(
        self, found: dict[str, tuple[int, set[str]]], conversation: str, body: str
    ) -> None:
        reader = self.programs[0].user
        if conversation.startswith("u:"):
            reader = int(conversation.split(":")[1])
        found.setdefault(conversation, (reader, set()))[1].add(body)


class _Turned(Sequence[str]):
    """
    The same URLs, rotated; they may change.
    """

    def __init__(self, urls: Sequence[str], n: int) -> None:
        self._urls = urls
        self._n = n

    def __len__(self) -> int:
        return len(self._urls)

    def __getitem__(self, index: Any) -> Any:
        return self._urls[(index + self._n) % len(self._urls)]
