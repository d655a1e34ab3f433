"""
Tests of our Connect with a legacy Message, and its clients.
"""

from __future__ import annotations

from tests.conformance.contract import TEXT, MessageStreamResponse, fields_of
from tests.conformance.daemons.cases import TheirMessageTestCase
from tests.conformance.sequences import of_kind
from tests.integration.cases import with_daemons


class TheirMessageTests(TheirMessageTestCase):
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
        self.assertEqual(self.theirs.heard[0].kind, "subscribe")
        self.assertTrue(self.theirs.heard[0].event.connect_service_id)
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
        said = await one.say(other.user, "hello")
        event = await self.theirs.hears("send_message")
        self.assertEqual(fields_of(event.msg), fields_of(said))
        heard = await other.hears("hello")
        self.assertEqual((heard.to, heard.message_type), (other.user, TEXT))

    @with_daemons
    async def test_stream_push_event(self) -> None:
        """
        A push reaches its user, with the id that Message gave it.
        """
        await self.begin()
        one, other = await self.connected(), await self.connected()
        await one.say(other.user, "hello")
        heard = await other.hears("hello")
        [stored] = self.theirs.store.stored
        self.assertEqual(heard, stored.message)

    @with_daemons
    async def test_stream_push_result(self) -> None:
        """
        Connect reports the result of a push for a connected user, and nothing for
        others.
        """
        await self.begin()
        one, other = await self.connected(), await self.connected()
        await one.say(self.user(), "to one who is away")
        await one.say(other.user, "hello")
        result = await self.theirs.hears("push_result")
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
        await one.say(other.user, "hello")
        heard = await other.hears("hello")
        ack = await self.theirs.hears("ack")
        self.assertEqual((ack.user_id, ack.message_id), (other.user, heard.message_id))
        self.assertEqual(len(other.heard), 1)

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
        await one.say(other.user, "hello")
        await other.hears("hello")

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
        await one.say(other.user, "still here")
        await other.hears("still here")
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
        await one.say(other.user, "after")
        await other.hears("after")

    @with_daemons
    async def test_strange(self) -> None:
        """
        Connect sends only legacy fields once it knows that the peer is legacy.
        """
        await self.begin()
        one, other = await self.connected(), await self.connected()
        await one.say(other.user, "hello")
        await other.hears("hello")
        await self.theirs.hears("ack")
        kinds = {h.kind for h in self.theirs.heard}
        self.assertLessEqual(kinds, {"subscribe", "send_message", "ack", "push_result"})
