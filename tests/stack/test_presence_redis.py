"""
The presence in Redis, as every presence, and when the server is away or refuses.
"""

from __future__ import annotations

from tests.presence_contract import make_presence_tests
from tests.stack.redis_places import presence_on
from tests.stack.servers import needs


@needs("redis")
class RedisPresenceTests(make_presence_tests(presence_on)):  # type: ignore[misc]
    """
    The presence in Redis.
    """
