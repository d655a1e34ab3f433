"""
One question to another Message, over real gRPC.
"""

from __future__ import annotations

import socket

from twisted.internet.defer import Deferred

from tests.message.rpc_case import RpcCase, run
from wsmsg.peers.channel import open_unproven
from wsmsg.rpc import rest_pb2
from wsmsg.stream.ask import ask_message
from wsmsg.stream.errors import StreamFailed

_REQUEST = rest_pb2.QueryRequest(
    items=[rest_pb2.QueryItem(life=rest_pb2.LifeQuery(message_id=7))]
)


class AskTests(RpcCase):
    """
    A Message, one that hangs, and one that is not there.
    """

    def test_answer(self) -> Deferred[None]:
        """
        The Message answers; one that remembers nothing of lives says so.
        """

        async def check() -> None:
            async with self.channel():
                answer = await ask_message(open_unproven, self.rpc.address, _REQUEST, 5)
                self.assertEqual(answer.answers[0].error.code, "not_found")

        return run(check())

    def test_no_answer(self) -> Deferred[None]:
        """
        A Message that hangs, and one that is not there, give no answer in time, or the
        reason at once.
        """

        async def check() -> None:
            with socket.create_server(("127.0.0.1", 0)) as hanging:
                address = f"127.0.0.1:{hanging.getsockname()[1]}"
                with self.assertRaises(StreamFailed) as failed:
                    await ask_message(open_unproven, address, _REQUEST, 0.3)
            self.assertIn("0.3", str(failed.exception))
            with self.assertRaises(StreamFailed):
                await ask_message(open_unproven, "127.0.0.1:9", _REQUEST, 5)

        return run(check())
