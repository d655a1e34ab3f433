"""
What every backend of an interface of Message does: a suite each, made for one backend
by a function that tells where it lives.

::

    class SqliteStoreTests(make_store_tests(sqlite_store)):
        ...
"""

from __future__ import annotations

from tests.message.journal.journal_contract import make_journal_tests
from tests.message.presence.presence_contract import make_presence_tests
from tests.message.store.store_contract import make_store_tests

__all__ = ["make_journal_tests", "make_presence_tests", "make_store_tests"]
