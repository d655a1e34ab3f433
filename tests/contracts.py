"""
Contract suites for the interfaces of Message: one suite an interface, made for one
backend by a function that says where the backend keeps its data.

::

    class SqliteStoreTests(make_store_tests(sqlite_store)):
        ...
"""

from __future__ import annotations

from tests.message.journal.journal_contract import make_journal_tests
from tests.message.presence.presence_contract import make_presence_tests
from tests.message.store.store_contract import make_store_tests

__all__ = ["make_journal_tests", "make_presence_tests", "make_store_tests"]
