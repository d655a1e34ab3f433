"""
Tests for L{wsmsg.message.backends}.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.dependency.alarms import Alarms
from wsmsg.message.backends import (
    JOURNALS,
    PRESENCES,
    STORES,
    Backends,
    JournalBackend,
    OwnedBackend,
    PresenceBackend,
    StoreBackend,
    probes,
)
from wsmsg.message.presence.memory import MemoryPresence
from wsmsg.message.store.sqlite.store import SqliteStore
from wsmsg.settings.urls import backends as urls
from wsmsg.settings.values import MessageSettings


def functions_of(*protocols: type) -> set[str]:
    """
    The functions that a module must have to provide protocols.
    """
    return {
        name
        for protocol in protocols
        for name, value in vars(protocol).items()
        if callable(value) and not name.startswith("_")
    }


class TableTests(SynchronousTestCase):
    """
    The tables of backends.
    """

    def test_provided(self) -> None:
        """
        Each module of the tables provides its kind of backend.
        """
        for table, protocols in (
            (JOURNALS, (OwnedBackend, JournalBackend)),
            (STORES, (OwnedBackend, StoreBackend)),
            (PRESENCES, (PresenceBackend,)),
        ):
            for name in set(table.values()):
                missing = functions_of(*protocols) - set(dir(import_module(name)))
                self.assertEqual(missing, set(), name)

    def test_readable(self) -> None:
        """
        The settings read the URL of each journal and store that can be made, and of no
        other.
        """
        self.assertEqual(set(JOURNALS), set(urls._JOURNALS))
        self.assertEqual(set(STORES), set(urls._STORES))

    def test_unknown(self) -> None:
        """
        A store that nobody knows is a mistake that names those that there are.
        """
        error = self.assertRaises(ValueError, urls.check_store, "oracle://host/db")
        self.assertEqual(
            str(error),
            "'oracle://host/db' begins with none of sqlite:, mongodb:, mongodb+srv:",
        )


class BackendsTests(SynchronousTestCase):
    """
    The backends of a Message whose settings say nothing.
    """

    def test_embedded(self) -> None:
        """
        All of them are embedded, none is started, and the Message has number 0.  There
        is no journal: the store is the log.
        """
        clock: Any = Clock()
        settings = MessageSettings()
        made = Backends(
            settings,
            Path(self.mktemp()),
            clock,
            retry=float,
            backoff=float,
            alarms=Alarms(),
        )
        self.assertIsNone(made.journal(None))
        store = made.store()
        self.assertIsInstance(store, SqliteStore)
        self.assertIsInstance(made.presence(), MemoryPresence)
        ids = made.message_ids(lambda: 1)
        self.assertEqual(ids.node_number, 0)
        reservation = made.reservation(ids, store, lambda reason: None)
        self.assertIsNone(made.registry(reservation))
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_probes(self) -> None:
        """
        A backend in a file is opened as a trial, one on the network is not.
        """
        embedded = MessageSettings()
        remote = MessageSettings(journal="kafka://h:1/t", store="mongodb://h/db")
        for settings in (embedded, remote):
            for _, probe in probes(settings, Path(self.mktemp())):
                probe()
