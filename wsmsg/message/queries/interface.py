"""
Reads and marks as the other packages of Message use them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred

from wsmsg.model import Mark

#: Marks messages as read by a user.  The Deferred fires with one bool for each mark:
#: whether there is such a message to the user.
Marking = Callable[[int, Sequence[Mark]], Deferred[list[bool]]]
