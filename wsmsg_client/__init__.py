"""
The client of wsmsg for asyncio programs: bots, bridges and services.
"""

from wsmsg.client import *  # noqa: F403
from wsmsg.client import __all__ as __all__
