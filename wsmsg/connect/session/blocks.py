"""
Why a session takes no frames for now; several may hold at once.
"""

from __future__ import annotations

from typing import Final

#: Its login is being checked.
CHECKING: Final = 1
#: Its window of unanswered sends is full.
WINDOW: Final = 2
#: It is over its rate of frames.
RATE: Final = 4
#: It has as many queries unanswered as it may.
QUERIES: Final = 8
#: It does not read what it is sent.
SLOW: Final = 16
#: It was asked to move, and only finishes.
LEAVING: Final = 32
