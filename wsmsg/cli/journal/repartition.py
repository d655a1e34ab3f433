"""
The move of a journal to a topic with another number of partitions, step by step.

Each step may be repeated, and nothing is kept but what the brokers and the store have::

    plan, make, retire, seal, wait until nothing is left, name the new topic
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.task import deferLater

from wsmsg.cli.transfer import tell
from wsmsg.dependency.wait import up
from wsmsg.dependency.worker import Worker
from wsmsg.errors import Unavailable
from wsmsg.message.journal.kafka.config import place_of
from wsmsg.message.journal.kafka.moving.topic_move import MovePlan, NotMoved, TopicMove
from wsmsg.message.store.interface import ITopics
from wsmsg.settings.values import MessageSettings
from wsmsg.text.counted import counted, plural
from wsmsg.transfer.stores import store_of

_LOOK_S = 0.5
_TELL_S = 5.0


class Repartition:
    """
    One run of the command.

    @param wait_s: the longest time for what the old topic has to be stored.
    """

    def __init__(
        self, settings: MessageSettings, partitions: int, *, wait_s: float
    ) -> None:
        self._settings = settings
        self._partitions = partitions
        self._wait_s = wait_s
        self._place = place_of(settings)
        self._move = TopicMove(self._place, partitions)

    async def run(self, reactor: Any) -> str:
        """
        Move the journal.

        @return: a sentence for the operator.
        @raise Unavailable: the brokers or the store failed; a further run continues.
        @raise NotMoved: it is not moved, with the reason.
        """
        return await self._with_store(reactor, self._run)

    async def plan(self, reactor: Any) -> str:
        """
        Tell what L{run} would do.
        """
        return await self._with_store(reactor, self._plan)

    async def cancel(self, reactor: Any) -> str:
        """
        Undo a run that did not come to its end.
        """
        return await self._with_store(reactor, self._cancel)

    async def _with_store(
        self,
        reactor: Any,
        do: Callable[[Any, ITopics, Worker], Awaitable[str]],
    ) -> str:
        store, worker = store_of(self._settings, reactor), Worker("wsmsg-move", reactor)
        topics: ITopics | None = store.topics
        if topics is None:
            raise NotMoved(
                "the store is embedded, and names no topics: stop Message when its "
                "journal has no lag, and name a topic with the partitions in "
                "message.journal"
            )
        try:
            await up(store)
            topic = await topics.current(self._place.topic)
            if topic != self._place.topic:
                tell(f"topic {topic} has the place of {self._place.topic}")
                self._place.go_on_with(topic)
            return await do(reactor, topics, worker)
        finally:
            await worker.quit()
            await store.stop()

    async def _plan(self, reactor: Any, topics: ITopics, worker: Worker) -> str:
        plan = await worker.do(self._move.plan)
        ends = await worker.do(self._move.ends, plan)
        left = await worker.do(self._move.left, plan.before, ends)
        self._tell_plan(plan, left)
        return f"topic {plan.after} would take the place of {plan.before}"

    async def _run(self, reactor: Any, topics: ITopics, worker: Worker) -> str:
        move = self._move
        plan = await worker.do(move.plan)
        ends = await worker.do(move.ends, plan)
        self._tell_plan(plan, await worker.do(move.left, plan.before, ends))
        await worker.do(move.make, plan)
        n = counted(self._partitions, "partition")
        tell(f"topic {plan.after} with {n} is there")
        await worker.do(move.retire, plan.before)
        tell(
            f"topic {plan.before} takes no more records: sends are refused as "
            "unavailable from now on; if this command is interrupted, repeat it, or "
            "use --cancel"
        )
        ends = await worker.do(move.seal, plan)
        tell("everything that was accepted is written")
        if not await self._drained(reactor, worker, plan, ends):
            await worker.do(move.reopen, plan.before)
            raise NotMoved(
                f"not all records were stored within {self._wait_s:g} s: topic "
                f"{plan.before} is open again, and nothing has changed; is a Message "
                "running, and its store up?"
            )
        tell(f"all records of topic {plan.before} are stored")
        if not await worker.do(move.is_retired, plan.before):
            raise NotMoved(f"topic {plan.before} was opened again by somebody else")
        named = await topics.succeed(plan.before, plan.after)
        if named != plan.after:
            raise NotMoved(f"another run has put topic {named} in its place")
        return (
            f"topic {named} has the place of {plan.before} now; Messages go on with it "
            "within some seconds"
        )

    async def _cancel(self, reactor: Any, topics: ITopics, worker: Worker) -> str:
        topic = self._place.topic
        if await worker.do(self._move.reopen, topic):
            return f"topic {topic} takes records again; Messages go on within seconds"
        return f"topic {topic} takes records; nothing was to be undone"

    async def _drained(
        self, reactor: Any, worker: Worker, plan: MovePlan, ends: dict[int, int]
    ) -> bool:
        began_s = told_s = reactor.seconds()
        while True:
            try:
                left = await worker.do(self._move.left, plan.before, ends)
            except Unavailable as e:
                left, why = -1, e.reason
            if not left:
                return True
            now_s = reactor.seconds()
            if now_s - began_s >= self._wait_s:
                return False
            if now_s - told_s >= _TELL_S or told_s == began_s:
                told_s = now_s
                tell(why if left < 0 else f"{_records(left)} not stored yet")
            await deferLater(reactor, _LOOK_S)

    def _tell_plan(self, plan: MovePlan, left: int) -> None:
        facts = plan.facts
        state = ", and takes no more" if facts.is_retired else ""
        tell(
            f"topic {plan.before} has {counted(facts.partitions, 'partition')}"
            f"{state}; {_records(left)} not stored yet"
        )


def _records(n: int) -> str:
    return f"{counted(n, 'record')} {plural(n, 'is', 'are')}"
