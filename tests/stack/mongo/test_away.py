"""
Sends while a real MongoDB hangs.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.doubles import up
from tests.message.doubles import ManualJournal
from tests.message.store.cursor_contract import said
from tests.message.store.group_contract import CREW, made
from tests.message.store.inserts import insert_into
from tests.stack.mongo.test_faults import Stores, becomes
from tests.stack.servers import needs, own_mongo
from wsmsg.errors import Unavailable, WsmsgError
from wsmsg.message.cluster.message_ids import MessageIds
from wsmsg.message.ingress.group_rules import GroupRules
from wsmsg.message.ingress.ingress import Ingress
from wsmsg.message.ingress.interface import Answer, SendRequest
from wsmsg.message.log.appends import Appends
from wsmsg.model import TEXT
from wsmsg.settings.urls.mongo import read_mongo_url

REACTOR: Any = reactor


def now_ms() -> int:
    """
    Return unix milliseconds.
    """
    return int(time.time() * 1000)


@needs("mongo")
class AwayTests(Stores):
    """
    An ingress whose store is suspended.
    """

    async def setUp(self) -> None:  # type: ignore[override]
        self.own = await own_mongo(self)
        url = read_mongo_url(f"mongodb://{self.own.address}/db")
        self.store = self.store_at(url)
        await up(self.store)
        self.journal = ManualJournal()
        self.answers: dict[str, int | WsmsgError] = {}
        rules = GroupRules(
            self.store, now_ms, group_members=9, recall_s=60, shared=True
        )
        self.ingress = Ingress(
            Appends(self.journal, self.store, REACTOR),
            self.store,
            MessageIds(now_ms),
            now_ms,
            rules=rules,
            limit=20,
            content_bytes=100,
        )

    async def send(self, client_id: str, sender: int, to: str) -> int | WsmsgError:
        """
        Return the answer to a send, which is durable if it reaches the journal.
        """

        def reply(answers: Sequence[Answer]) -> None:
            self.answers.update((r.client_id, answer) for r, answer in answers)

        self.answers.pop(client_id, None)
        request = SendRequest(0, sender, client_id, to, "hi", TEXT)
        self.ingress.accept([request], reply)
        while client_id not in self.answers:
            for _, done in self.journal.appends:
                if not done.called:
                    done.callback(None)
            await deferLater(REACTOR, 0)
        return self.answers[client_id]

    async def test_known_members(self) -> None:
        """
        While MongoDB hangs, a member whom it confirmed sends to the group, and a repeat
        is told the time of the first send; a member of whom nothing is known waits.
        """
        event = made(2, 3)
        await insert_into(self.store, [event, said(1)], 5)
        await self.store.apply([event])
        first = await self.send("a", 2, CREW)
        self.assertIsInstance(first, int)
        self.own.suspend()
        await becomes(self.store, False)
        self.assertIsInstance(await self.send("b", 2, CREW), int)
        self.assertEqual(await self.send("a", 2, CREW), first)
        self.assertIsInstance(await self.send("c", 3, CREW), Unavailable)
        self.assertIsInstance(await self.send("d", 1, "u:1:2"), int)
        self.own.resume()
        await becomes(self.store, True)
