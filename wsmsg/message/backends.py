"""
Which adapters stand behind Message, by the URLs in its settings.

A new backend is an adapter, a check of its URL in L{wsmsg.settings.urls.backends}, and
a line here.  Adapters are imported when they are chosen: some import the reactor.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsmsg.dependency.retry import Backoff, RetryPolicy
from wsmsg.dependency.state import Dependency
from wsmsg.message.cluster.message_ids import NUMBERS, MessageIds
from wsmsg.message.journal.interface import IJournal
from wsmsg.message.presence.interface import IPresence
from wsmsg.message.store.interface import IMessageStore
from wsmsg.settings.rules import registry_url
from wsmsg.settings.urls.backends import sqlite_path
from wsmsg.settings.values import MessageSettings

if TYPE_CHECKING:
    from wsmsg.message.cluster.registry import RedisRegistry

#: What is said when a check fails, and the check.
Probe = tuple[str, Callable[[], None]]


def scheme(url: str) -> str:
    """
    What stands before the colon.
    """
    return url.partition(":")[0]


class Backends:
    """
    The adapters that the settings name; nothing of them is started.

    @param data_dir: where embedded backends have their files.
    """

    def __init__(
        self,
        settings: MessageSettings,
        data_dir: Path,
        reactor: Any,
        *,
        retry: RetryPolicy,
        backoff: Backoff,
    ) -> None:
        self._settings = settings
        self._data_dir = data_dir
        self._reactor = reactor
        self._retry = retry
        self._backoff = backoff

    def journal(self) -> IJournal:
        dependency = Dependency("journal", self._reactor)
        if scheme(self._settings.journal) == "kafka":
            from wsmsg.message.journal.kafka.config import place_of
            from wsmsg.message.journal.kafka.journal import KafkaJournal

            return KafkaJournal(
                place_of(self._settings),
                self._reactor,
                retry=self._retry,
                dependency=dependency,
            )
        from wsmsg.message.journal.sqlite import SqliteJournal

        return SqliteJournal(
            str(journal_path(self._settings, self._data_dir)),
            self._reactor,
            retry=self._retry,
            dependency=dependency,
        )

    def store(self) -> IMessageStore:
        dependency = Dependency("store", self._reactor)
        if scheme(self._settings.store) != "sqlite":
            from wsmsg.message.store.mongo.store import MongoStore
            from wsmsg.settings.urls.mongo import read_mongo_url

            password = self._settings.store_password.get_secret_value()
            return MongoStore(
                read_mongo_url(self._settings.store, password),
                self._reactor,
                retry=self._retry,
                backoff=self._backoff,
                dependency=dependency,
            )
        from wsmsg.message.store.sqlite.store import SqliteStore

        return SqliteStore(
            str(store_path(self._settings, self._data_dir)),
            self._reactor,
            retry=self._retry,
            dependency=dependency,
        )

    def presence(self) -> IPresence:
        dependency = Dependency("presence", self._reactor, required=False)
        if scheme(self._settings.presence) != "memory":
            from wsmsg.message.presence.redis import RedisPresence
            from wsmsg.settings.urls.redis import read_redis_url

            password = self._settings.presence_password.get_secret_value()
            return RedisPresence(
                read_redis_url(self._settings.presence, password),
                self._reactor,
                retry=self._retry,
                dependency=dependency,
            )
        from wsmsg.message.presence.memory import MemoryPresence

        return MemoryPresence(self._reactor, dependency=dependency)

    def message_ids(self, now_ms: Callable[[], int]) -> MessageIds:
        """
        Ids with the number of this Message; where there may be others and nobody gives
        out numbers (yet), one at random.
        """
        number = self._settings.node_number
        if number < 0:
            alone = scheme(self._settings.journal) == "sqlite"
            number = 0 if alone else random.randrange(NUMBERS)
        return MessageIds(now_ms, number)

    def registry(self, ids: MessageIds) -> RedisRegistry | None:
        """
        The place in the list of Messages, if there is a list.

        @param ids: are told the number that the list gives us.
        """
        settings = self._settings
        url = registry_url(settings)
        if url is None:
            return None
        from wsmsg.message.cluster.registry import RedisRegistry

        return RedisRegistry(
            url,
            self._reactor,
            address=settings.advertise or settings.rpc_listen,
            number=ids.node_number,
            renumber=ids.renumber if settings.node_number < 0 else None,
            retry=self._retry,
            dependency=Dependency("registry", self._reactor, required=False),
        )


def probes(settings: MessageSettings, data_dir: Path) -> list[Probe]:
    """
    What can be found out before the daemon begins: whether its files are free.
    """
    from wsmsg.message.journal.sqlite_file import JOURNAL
    from wsmsg.message.store.sqlite.file import STORE
    from wsmsg.sqlite.file import check_free

    found: list[Probe] = []
    if scheme(settings.journal) == "sqlite":
        journal = str(journal_path(settings, data_dir))
        found.append(("cannot use the journal", lambda: check_free(journal, JOURNAL)))
    if scheme(settings.store) == "sqlite":
        store = str(store_path(settings, data_dir))
        found.append(("cannot use the store", lambda: check_free(store, STORE)))
    return found


def journal_path(settings: MessageSettings, data_dir: Path) -> Path:
    """
    The file of the embedded journal.
    """
    return sqlite_path(settings.journal, data_dir, "journal.db")


def store_path(settings: MessageSettings, data_dir: Path) -> Path:
    """
    The file of the embedded store.
    """
    return sqlite_path(settings.store, data_dir, "store.db")
