"""
The store in MongoDB.
"""

from __future__ import annotations

from tests.contracts import make_store_tests
from tests.stack.mongo_places import mongo_store
from tests.stack.servers import needs


@needs("mongo")
class MongoStoreTests(make_store_tests(mongo_store)):  # type: ignore[misc]
    """
    The store in MongoDB.
    """
