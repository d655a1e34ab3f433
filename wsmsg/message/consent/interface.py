"""
The parts of consent that ingress and queries use.
"""

from __future__ import annotations

from wsmsg.message.consent.contacts import Contacts
from wsmsg.message.consent.sight import Sight

__all__ = ["Contacts", "Sight"]
