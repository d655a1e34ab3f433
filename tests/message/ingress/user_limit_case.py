"""
An ingress with limits of users.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.message.doubles import ManualJournal, MemoryStore
from tests.message.ingress.ingress_in_memory import ingress_of
from wsmsg.errors import WsmsgError
from wsmsg.message.cluster.message_ids import EPOCH_MS
from wsmsg.message.ingress.interface import Answer, SendRequest
from wsmsg.message.limits.parts import LimitParts
from wsmsg.message.limits.quotas import IQuotaStore
from wsmsg.model import TEXT
from wsmsg.settings.values import MessageSettings, UserLimitSettings


class UserLimitCase(SynchronousTestCase):
    """
    An ingress with limits of users; nothing is limited that a test does not name.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.unix_s = 1_800_000_000.0
        self.store = MemoryStore()
        self.store.start()
        self.begin()

    def begin(self, **limits: int) -> None:
        """
        Begin a new life of a Message with these limits.
        """
        none = {"stored_bytes_per_day": 0}
        none |= {"groups_owned": 0, "groups_joined": 0}
        self.settings = MessageSettings(limits=UserLimitSettings(**none | limits))
        self.limits = LimitParts(
            self.settings,
            cast("IQuotaStore", self.store),
            self.clock,
            lambda: self.unix_s,
        )
        self.limits.start()
        self.journal = ManualJournal()
        self.ingress = ingress_of(
            self.journal,
            self.store,
            lambda: EPOCH_MS,
            content_bytes=10_000,
            seconds=self.clock.seconds,
            meters=self.limits.meters,
            quotas=self.limits.quotas,
        )
        self.answers: dict[str, int | WsmsgError] = {}
        self.replies = 0

    def send(self, client_id: str, sender: int = 1, **more: Any) -> None:
        """
        Have a user send something, to user 2 if it is not said otherwise, and the
        journal take it.
        """
        self.ingress.accept([self.request(client_id, sender, **more)], self.replied)
        for _, done in self.journal.appends:
            if not done.called:
                done.callback(None)

    def request(self, client_id: str, sender: int = 1, **more: Any) -> SendRequest:
        """
        Return the request of a user.
        """
        request = SendRequest(0, sender, client_id, "u:1:2", "hi", TEXT, by_user=True)
        return request._replace(**more)

    def replied(self, answers: Sequence[Answer]) -> None:
        self.replies += len(answers)
        for request, answer in answers:
            self.answers[request.client_id] = answer

    def store_appended(self) -> None:
        """
        Store what the journal has.
        """
        for messages, _ in self.journal.appends:
            for message in messages:
                seq = self.successResultOf(self.store.heads([message.conversation]))
                stored = message.numbered(seq[message.conversation] + 1)
                self.store.insert([stored], 1, [0])
        self.journal.appends.clear()

    def refused(self) -> dict[str, str]:
        """
        Return the codes of the requests that were refused.
        """
        return {
            client_id: answer.code
            for client_id, answer in self.answers.items()
            if isinstance(answer, WsmsgError)
        }

    def pass_time(self, seconds: float) -> None:
        """
        Let time pass, and the system clock follow.
        """
        self.unix_s += seconds
        self.clock.advance(seconds)
