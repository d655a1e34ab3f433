"""
The parts of the limits that ingress and the streams use.
"""

from __future__ import annotations

from wsmsg.message.limits.meters import OVERHEAD_BYTES, UserMeters
from wsmsg.message.limits.quotas import GroupRequest, Quotas
from wsmsg.message.limits.rates import ConnectRates

__all__ = ["OVERHEAD_BYTES", "ConnectRates", "GroupRequest", "Quotas", "UserMeters"]
