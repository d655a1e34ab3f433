"""
The count of pushes that the check of each minute found missing, over all lives of the
Connects of a round.

A life that was killed takes its metrics along, but each miss is a line in the log too,
which all lives of a daemon share.  Misses that a lost stream explains do not count, and
their lines say so.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from tests.integration.cases import metric
from tests.integration.installation import Installation
from tests.integration.raw_client import RawClient
from wsmsg.connect.session.head_check import ROUND, SETTLE

_MISSED = "was not pushed message"
_EXPLAINED = "a stream was lost or came up meanwhile"
_METRIC = "wsmsg_connect_pushes_missed_total"
#: The longest time for a comparison of all sessions in which misses count.
_COMPARED_S = 3.0 * ROUND + SETTLE


async def missed_pushes(installation: Installation) -> list[str]:
    """
    Return the lines about pushes that were missed, and the metrics that are not 0.
    """
    lines = [line for line in installation.logged(_MISSED) if _EXPLAINED not in line]
    for daemon in installation.daemons:
        if daemon.kind == "connect" and daemon.running:
            missed = await metric(daemon, _METRIC)
            if missed:
                lines.append(f"{daemon.name}: {_METRIC} {missed:.0f}")
    return lines


async def compared(clients: Sequence[RawClient]) -> None:
    """
    Wait until each session was compared once more with the heads, long enough after
    the last fault that a miss counts.
    """
    from_s = time.monotonic() + ROUND
    async with asyncio.timeout(_COMPARED_S):
        for client in clients:
            while client.checked_s < from_s:
                await client.ping()
                await asyncio.sleep(1)  # the server says it only when it is asked
