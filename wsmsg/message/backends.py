"""
The table of backends: the module that makes each, by the scheme of its URL.

A new store is a package with a module C{backend} that provides L{StoreBackend}, a line
in L{STORES} here, and a line in L{wsmsg.settings.urls.backends}, which reads its URL.
The module is imported when its backend is chosen: some import the reactor.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Protocol, cast

import attrs
from twisted.internet.interfaces import IReactorTime

from wsmsg.dependency.alarms import Alarms
from wsmsg.dependency.backend import BackendContext
from wsmsg.dependency.retry import Backoff, RetryPolicy
from wsmsg.dependency.state import Dependency
from wsmsg.message.cluster.message_ids import NUMBERS, MessageIds
from wsmsg.message.cluster.reserved_ids import IdReservation
from wsmsg.message.journal.interface import Backlog, IJournal
from wsmsg.message.presence.interface import IPresence
from wsmsg.message.store.archive import IStoreArchive
from wsmsg.message.store.interface import IMessageStore, ITopics
from wsmsg.peers.identity import peer_probe
from wsmsg.settings.rules import registry_url
from wsmsg.settings.values import MessageSettings
from wsmsg.sqlite.file import remove_file

if TYPE_CHECKING:
    from wsmsg.message.cluster.registry import RedisRegistry

_SWITCH_S = 0.0005

JOURNALS = {
    "sqlite": "wsmsg.message.journal.sqlite.backend",
    "kafka": "wsmsg.message.journal.kafka.backend",
}
#: The journal file of an earlier version, beside an embedded store.
_OLD_JOURNAL = {"sqlite": "wsmsg.message.journal.sqlite.old"}
STORES = {
    "sqlite": "wsmsg.message.store.sqlite.backend",
    "mongodb": "wsmsg.message.store.mongo.backend",
    "mongodb+srv": "wsmsg.message.store.mongo.backend",
}
PRESENCES = {
    "memory": "wsmsg.message.presence.memory",
    "redis": "wsmsg.message.presence.redis",
    "rediss": "wsmsg.message.presence.redis",
}

#: The beginning of the line on failure, and the check.
Probe = tuple[str, Callable[[], object]]


class OwnedBackend(Protocol):
    """
    The questions to a backend that may be in a file of this machine.
    """

    def probe(self, settings: MessageSettings, data_dir: Path) -> None:
        """
        Check before the daemon starts that the backend could be opened.

        @raise Unavailable: it could not, with the reason.
        """

    def used_by(self, settings: MessageSettings, data_dir: Path) -> str:
        """
        Return a sentence that names the process that has the file open, or C{""}.

        @raise Unavailable: the file cannot be used.
        """

    def files(self, settings: MessageSettings, data_dir: Path) -> Sequence[Path]:
        """
        Return the files on this machine; a server has none.
        """


class JournalBackend(OwnedBackend, Protocol):
    """
    A kind of journal.

    @ivar SHARED: several Messages may use one journal.
    """

    SHARED: bool

    def make_journal(self, context: BackendContext) -> IJournal | None:
        """
        Make the journal; it is not started.  L{None}: there is none.
        """

    def backlog(self, settings: MessageSettings, data_dir: Path) -> Backlog | None:
        """
        Count the records that wait in a journal that no process uses; L{None} where
        that cannot be known.

        @raise Unavailable: the journal cannot be read.
        """


class StoreBackend(OwnedBackend, Protocol):
    """
    A kind of store.

    @ivar SHARED: several Messages may use one store.
    """

    SHARED: bool

    def make_store(self, context: BackendContext) -> IMessageStore:
        """
        Make the store; it is not started.
        """

    def make_archive(self, context: BackendContext) -> IStoreArchive:
        """
        Make what reads the store from beginning to end; it is not opened.
        """


class PresenceBackend(Protocol):
    """
    A kind of presence.
    """

    def make_presence(self, context: BackendContext) -> IPresence:
        """
        Make the presence; it is not started.
        """


def journal_backend(settings: MessageSettings) -> JournalBackend:
    """
    Return the kind of journal that the settings choose.
    """
    table = _OLD_JOURNAL if settings.store_is_log else JOURNALS
    return cast("JournalBackend", _chosen(table, settings.journal))


def store_backend(settings: MessageSettings) -> StoreBackend:
    """
    Return the kind of store that the settings choose.
    """
    return cast("StoreBackend", _chosen(STORES, settings.store))


def _chosen(table: Mapping[str, str], url: str) -> ModuleType:
    return import_module(table[url.partition(":")[0]])


def probes(settings: MessageSettings, data_dir: Path) -> list[Probe]:
    """
    Return the checks that can be made before the daemon starts.
    """
    journal, store = journal_backend(settings), store_backend(settings)
    return [
        peer_probe(settings, data_dir),
        ("cannot use the journal", partial(journal.probe, settings, data_dir)),
        ("cannot use the store", partial(store.probe, settings, data_dir)),
    ]


def switch_threads_quickly() -> None:
    """
    Have a thread that returns from SQLite wait half a millisecond at most for the
    interpreter lock, behind a busy reactor: Python's 5 ms would count for each step of
    a commit.
    """
    sys.setswitchinterval(_SWITCH_S)


def files(settings: MessageSettings, data_dir: Path) -> list[Path]:
    """
    Return the files of the embedded backends.
    """
    chosen = (journal_backend(settings), store_backend(settings))
    return [file for backend in chosen for file in backend.files(settings, data_dir)]


class Backends:
    """
    Makes the backends that the settings choose; starts none of them.

    @param data_dir: the directory of embedded backends.
    """

    def __init__(
        self,
        settings: MessageSettings,
        data_dir: Path,
        reactor: IReactorTime,
        *,
        retry: RetryPolicy,
        backoff: Backoff,
        alarms: Alarms,
    ) -> None:
        self._alarms = alarms
        self._settings = settings
        self._data_dir = data_dir
        self._reactor = reactor
        self._retry = retry
        self._backoff = backoff

    def journal(self, topics: ITopics | None) -> IJournal | None:
        """
        Make the journal; L{None}: there is none.

        @param topics: those of the store.
        """
        context = self._context("journal")
        if topics is not None:
            context = attrs.evolve(context, successor=topics.current)
        return journal_backend(self._settings).make_journal(context)

    def remove_old_journal(self) -> None:
        """
        Remove the journal file of an earlier version, which is closed.
        """
        for file in journal_backend(self._settings).files(
            self._settings, self._data_dir
        ):
            remove_file(file)

    def store(self) -> IMessageStore:
        return store_backend(self._settings).make_store(self._context("store"))

    def presence(self) -> IPresence:
        chosen: PresenceBackend = _chosen(PRESENCES, self._settings.presence)
        return chosen.make_presence(self._context("presence", required=False))

    def message_ids(self, now_ms: Callable[[], int]) -> MessageIds:
        """
        Make the ids with the number of this Message: that of the settings, else 0 for
        a Message that is alone with its journal, else a random one.
        """
        number = self._settings.node_number
        if number < 0:
            shared = journal_backend(self._settings).SHARED
            number = random.randrange(NUMBERS) if shared else 0
        return MessageIds(now_ms, number)

    def reservation(
        self, ids: MessageIds, store: IMessageStore, close: Callable[[str], object]
    ) -> IdReservation:
        """
        Make what reserves the ids in the store.

        @param close: as for L{IdReservation}.
        """
        return IdReservation(ids, store, self._reactor, close)

    def registry(self, reservation: IdReservation) -> RedisRegistry | None:
        """
        Make the entry of this Message in the list of Messages; L{None} where the
        settings name no list.

        @param reservation: gets the node number that the list assigns.
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
            number=reservation.node_number,
            renumber=reservation.renumber if settings.node_number < 0 else None,
            retry=self._retry,
            dependency=Dependency("registry", self._reactor, required=False),
        )

    def _context(self, name: str, *, required: bool = True) -> BackendContext:
        return BackendContext(
            settings=self._settings,
            data_dir=self._data_dir,
            reactor=self._reactor,
            dependency=Dependency(name, self._reactor, required=required),
            retry=self._retry,
            backoff=self._backoff,
            alarms=self._alarms,
        )
