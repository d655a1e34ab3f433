"""
The parts of consent that ingress uses.
"""

from __future__ import annotations

from wsmsg.message.consent.contacts import Contacts

__all__ = ["Contacts"]
