"""
Tests of contents as long as the legacy system allows, with the settings of
C{docs/how-to/legacy/migrate.md}.
"""

from __future__ import annotations

from typing import Any, ClassVar

from tests.integration.cases import with_daemons
from tests.integration.installation import http_post
from tests.integration.legacy.cases import LegacyTestCase
from wsmsg.errors import Close
from wsmsg.protocol import client_pb2 as pb

_MIB = 1048576


class LargeTests(LegacyTestCase):
    """
    Contents of 1 MiB between legacy clients and clients of wsmsg.
    """

    message: ClassVar[dict[str, Any]] = {"content_bytes": _MIB}
    connect: ClassVar[dict[str, Any]] = {
        **LegacyTestCase.connect,
        "limits.content_bytes": _MIB,
        "limits.frame_bytes": 1114112,
        "limits.outbox_hard_bytes": 8388608,
    }

    @with_daemons
    async def test_as_recorded(self) -> None:
        """
        A content of 1 MiB reaches the other legacy client, live and in C{unread}, and
        all devices of wsmsg, with every byte; one of these answers with as much.
        """
        one, two = await self.client(), await self.client(acknowledges=False)
        ours = await self.device(two.user)
        for content in ("x" * _MIB, "\u65e5\u672c" * (_MIB // 6)):
            sent = await one.send_text(two.user, content)
            received = await two.expect(content)
            sent.message_id = received.message_id
            self.assertEqual(received.SerializeToString(), sent.SerializeToString())
            await ours.expect("deliver", content=content)
        answer = await ours.send(one.user, "c1", "y" * _MIB)
        self.assertTrue(answer.time, answer)
        await one.expect("y" * _MIB)
        sizes = [len(content.encode()) for content in await self.unread(two.user)]
        self.assertEqual(sizes, [_MIB, _MIB // 6 * 6])

    async def unread(self, user: int) -> list[str]:
        port = self.installation.message.port("listen")
        body = {"user_id": user}
        _, unread = await http_post(port, "/api/v1/messages/unread", body)
        return [message["content"] for message in unread["messages"] or ()]

    @with_daemons
    async def test_synced(self) -> None:
        """
        A device of wsmsg that was away reads such messages one a page.
        """
        one, two = await self.client(), self.user()
        friend = await self.device(two)
        for letter in "abc":
            await one.send_text(two, letter * _MIB)
            await friend.expect("deliver", content=letter * _MIB)
        low, high = sorted((one.user, two))
        late, seen = await self.device(two, "late"), ""
        for after in range(3):
            name = f"u:{low}:{high}"
            sync = pb.Sync(id=f"s{after}", conversation=name, after=after)
            await late.send_frame(sync=sync)
            page = await late.expect("page", id=f"s{after}")
            self.assertEqual(len(page.messages), 1)
            self.assertEqual(page.more, after < 2)
            seen += page.messages[0].content[0]
        self.assertEqual(seen, "abc")

    @with_daemons
    async def test_over_the_limit(self) -> None:
        """
        A content one byte longer is logged, and its legacy client goes on; a client of
        wsmsg is told C{too_large}.  A frame over its limit ends the connection.
        """
        one, two = await self.client(), await self.client()
        ours = await self.device(two.user)
        await one.send_text(two.user, "x" * (_MIB + 1))
        await one.send_text(two.user, "after it")
        await two.expect("after it")
        self.assertEqual(two.texts(), ["after it"])
        self.assertNotEqual(self.installation.logged("longer than 1048576"), [])
        answer = await ours.send(one.user, "c1", "x" * (_MIB + 1))
        self.assertEqual(answer.code, "too_large")
        await one.send_text(two.user, "x" * 1114112)
        await one.ends.until(lambda: len(one.ends) > 0, "the end of the connection")
        self.assertEqual(one.ends[0], Close.TOO_LARGE)
