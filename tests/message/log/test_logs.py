"""
Both logs have the same behaviour.
"""

from __future__ import annotations

from functools import partial

from tests.message.log.log_contract import EmbeddedLogs, make_log_tests


class StoreLogTests(make_log_tests(partial(EmbeddedLogs, journaled=False))):  # type: ignore[misc]
    """
    The log without a journal.
    """


class JournaledLogTests(make_log_tests(partial(EmbeddedLogs, journaled=True))):  # type: ignore[misc]
    """
    The log with an embedded journal.
    """
