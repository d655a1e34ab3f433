"""
The parts that sessions use.
"""

from __future__ import annotations

from wsmsg.connect.tokens.expiry import ExpiringSession, Expiry, Term

__all__ = ["ExpiringSession", "Expiry", "Term"]
