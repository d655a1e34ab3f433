"""
The pace at which the members of a large group acknowledge its messages.

An acknowledgement costs a Connect more than the delivery that it is for, and only the
last of a conversation counts.  So Connect asks clients to acknowledge a group once in
a time that goes with the number of recipients: all of them together send it about
L{PER_S} acknowledgements a second for the group, however large it is and however
often somebody writes in it.
"""

from __future__ import annotations

from typing import Final

#: The acknowledgements a second that a Connect is sent for one group.
PER_S: Final = 1000
#: The number of recipients up to which they acknowledge at once.
SMALL: Final = 50
#: The longest time for which a client is asked to wait, in milliseconds.
MOST_MS: Final = 10_000


def pace_ms(recipients: int) -> int:
    """
    Return how often each recipient is to acknowledge, in milliseconds; 0: at once.
    """
    if recipients <= SMALL:
        return 0
    return min(MOST_MS, recipients * 1000 // PER_S)
