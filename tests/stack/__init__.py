"""
Tests with real servers: Kafka, MongoDB's protocol, Redis.  They are in this folder, so
that they are a stage of their own (C{make test-stack}, and the last of C{make test})::

    from tests.stack.servers import mongo_url, needs, own_mongo, unique

    @needs("mongo")
    class MongoStoreTests(TestCase):
        async def setUp(self):
            self.store = open_store(mongo_url(), database=unique("store"))

        async def test_killed(self):
            server = await own_mongo(self)      # on free ports, for this test alone
            server.kill()
            await server.start()                # with what it had kept

The servers are those of C{tests/run.py}, which starts them for its stage; or, when
trial is run by itself, those that C{make stack-up} started.  Where they are missing the
tests are skipped, or fail where C{WSMSG_STACK=required}.  The shared ones may not be
killed or wiped: take names from C{unique}, and C{own_kafka}, C{own_mongo},
C{own_redis} for what a test breaks.
"""
