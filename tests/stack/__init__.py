"""
Tests with real servers: Kafka, MongoDB's protocol, Redis. The folder is a stage of its
own (C{make test-stack}, and the last stage of C{make test})::

    from tests.stack.servers import mongo_url, needs, own_mongo, unique

    @needs("mongo")
    class MongoStoreTests(TestCase):
        async def setUp(self):
            self.store = open_store(mongo_url(), database=unique("store"))

        async def test_killed(self):
            server = await own_mongo(self)      # on free ports, for this test alone
            server.kill()
            await server.start()                # with its data

C{tests/run.py} starts the servers for its stage; when trial runs by itself, the tests
use those that C{make stack-up} started. If a server is missing its tests are skipped,
or fail with C{WSMSG_STACK=required}. Tests may not kill or wipe the shared servers:
they take names from C{unique}, and use C{own_kafka}, C{own_mongo}, C{own_redis} for
what they break.
"""
