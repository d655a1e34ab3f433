"""
The parts that sessions use.
"""

from __future__ import annotations

from wsmsg.connect.tokens.expiry import ExpiringSession, Expiry, Term
from wsmsg.connect.tokens.revocations import REVOKED, Revocations

__all__ = ["REVOKED", "ExpiringSession", "Expiry", "Revocations", "Term"]
