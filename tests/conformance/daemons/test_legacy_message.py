"""
Tests of our Connect with a legacy Message, and its clients.
"""

from __future__ import annotations

from tests.conformance.contract import TEXT, MessageStreamResponse, fields_of
from tests.conformance.daemons.cases import LegacyMessageTestCase
from tests.conformance.sequences import of_kind
from tests.integration.cases import with_daemons


class LegacyMessageTests(LegacyMessageTestCase):
    """
    The events of the stream, as the scripted Message receives them.
    """

    @with_daemons
    async def test_stream_subscribe(self) -> None:
        """
        Our Connect subscribes first, with its id, and recognises a legacy peer although
        nothing answers.
        """
        await self.begin()
        self.assertEqual(self.theirs.received[0].kind, "subscribe")
        self.assertTrue(self.theirs.received[0].event.connect_service_id)
        status, _ = await self.installation.connect.get("/readyz")
        self.assertEqual(status, 200)

    @with_daemons
    async def test_stream_send_message(self) -> None:
        """
        A client's message reaches Message as C{send_message}, with its fields
        unchanged.
        """
        await self.begin()
        one, other = await self.connected(), await self.connected()
        sent = await one.send_text(other.user, "hello")
        event = await self.theirs.expect("send_message")
        self.assertEqual(fields_of(event.msg), fields_of(sent))
        received = await other.expect("hello")
        self.assertEqual((received.to, received.message_type), (other.user, TEXT))

    @with_daemons
    async def test_stream_push_event(self) -> None:
        """
        A push reaches its user, with the id that Message gave it.
        """
        await self.begin()
        one, other = await self.connected(), await self.connected()
        await one.send_text(other.user, "hello")
        received = await other.expect("hello")
        [stored] = self.theirs.store.stored
        self.assertEqual(received, stored.message)

    @with_daemons
    async def test_stream_push_result(self) -> None:
        """
        Connect reports the result of a push for a connected user, and nothing for
        others.
        """
        await self.begin()
        one, other = await self.connected(), await self.connected()
        await one.send_text(self.user(), "to one who is away")
        await one.send_text(other.user, "hello")
        result = await self.theirs.expect("push_result")
        wanted = {"success": True, "target_user_id": other.user}
        self.assertEqual(fields_of(result), wanted)
        self.assertEqual(len(self.theirs.all("push_result")), 1)

    @with_daemons
    async def test_stream_ack(self) -> None:
        """
        A client's acknowledgement reaches Message, and the client gets no answer.
        """
        await self.begin()
        one, other = await self.connected(), await self.connected()
        await one.send_text(other.user, "hello")
        received = await other.expect("hello")
        ack = await self.theirs.expect("ack")
        self.assertEqual(
            (ack.user_id, ack.message_id), (other.user, received.message_id)
        )
        self.assertEqual(len(other.received), 1)

    @with_daemons
    async def test_stream_failure(self) -> None:
        """
        A failure reported by Message ends neither the stream nor a connection.
        """
        await self.begin()
        one, other = await self.connected(), await self.connected()
        message = {"from": one.user, "to": other.user, "content": "?"}
        failure = {"original_sender": one.user, "failure_reason": "because"}
        await self.theirs.tell_all(
            MessageStreamResponse(failure={**failure, "original_message": message})
        )
        await one.send_text(other.user, "hello")
        await other.expect("hello")

    @with_daemons
    async def test_stream_sequences(self) -> None:
        """
        With each field of each event absent, zero, negative and huge, neither the
        stream nor a client's connection ends.
        """
        await self.begin()
        one, other = await self.connected(), await self.connected()
        for sequence in of_kind("MessageStreamResponse"):
            await self.theirs.tell_all(sequence.data)
        await one.send_text(other.user, "still here")
        await other.expect("still here")
        self.assertEqual(len(self.theirs.streams), 1)

    @with_daemons
    async def test_killed(self) -> None:
        """
        Message is killed and restarted: our Connect subscribes again, and clients that
        stayed connected are served.
        """
        await self.begin()
        one, other = await self.connected(), await self.connected()
        await self.theirs.kill()
        await self.installation.connect.ready(False)
        await self.theirs.start()
        await self.theirs.subscribed()
        await one.send_text(other.user, "after")
        await other.expect("after")

    @with_daemons
    async def test_strange(self) -> None:
        """
        Connect sends only legacy fields once it knows that the peer is legacy.
        """
        await self.begin()
        one, other = await self.connected(), await self.connected()
        await one.send_text(other.user, "hello")
        await other.expect("hello")
        await self.theirs.expect("ack")
        kinds = {h.kind for h in self.theirs.received}
        self.assertLessEqual(kinds, {"subscribe", "send_message", "ack", "push_result"})
