"""
An L{Ingress} on a journal and a store in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock

from tests.message.doubles import ManualJournal, MemoryStore, rules_by
from wsmsg.message.cluster.message_ids import MessageIds
from wsmsg.message.ingress.ingress import Ingress
from wsmsg.message.log.appends import Appends


def ingress_of(
    journal: ManualJournal,
    store: MemoryStore,
    now_ms: Callable[[], int],
    *,
    limit: int = 100,
    content_bytes: int = 100,
    **more: Any,
) -> Ingress:
    """
    Return an ingress whose group rules have limits that a test can reach.

    @param more: further arguments of L{Ingress}.
    """
    return Ingress(
        Appends(journal, store, Clock()),
        store,
        MessageIds(now_ms),
        now_ms,
        rules=rules_by(store, now_ms),
        limit=limit,
        content_bytes=content_bytes,
        **more,
    )
