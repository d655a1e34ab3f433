"""
A server for the tests of programs that use the client.

::

    from wsmsg_client.testing import FakeServer

    async def test_echo():
        async with FakeServer() as server:
            bot = asyncio.create_task(run(server.client(4001)))
            server.deliver("hello", sender=1002, to=4001)
            answer = await server.sent()
            assert (answer.to, answer.content) == (1002, "hello")
            bot.cancel()

The fake server is a real WebSocket on loopback, in the process of the test, and keeps
all in memory.  It accepts, numbers, delivers and recognizes repeats as the real one
does, for messages, groups, history, marks, typing and presence.  It refuses anything
else as unsupported.  A program without asyncio runs in `asyncio.to_thread`.

::

    connections    the WebSockets, and the frames on them
    conversations  the decisions: which requests are accepted, and who gets them
    server         the class for tests
"""

from wsmsg_client.testing.conversations import SentMessage as SentMessage
from wsmsg_client.testing.server import FakeServer as FakeServer
