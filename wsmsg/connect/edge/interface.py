"""
The parts of the edge that WebSocket connections use.
"""

from __future__ import annotations

from wsmsg.connect.edge.admission import Admission
from wsmsg.connect.edge.heartbeat import DEAD_TICK, PING_TICK, TICKS, HeartbeatSweep

__all__ = ["DEAD_TICK", "PING_TICK", "TICKS", "Admission", "HeartbeatSweep"]
