"""
Tests of Matrix's API and of HTTP, from what Synapse 1.163 said to this code.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from wsmsg.bench.against.http import AnswerParser, HttpAnswer
from wsmsg.bench.against.matrix import refusal, synced

HEAD = (
    b"HTTP/1.1 200 OK\r\nServer: Synapse/1.163.2\r\n"
    b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
)
BODY = b'{"event_id":"$qki8gBG24ZjsurYoDYkuuF3jT7PRol5rl2G8FZc1uUo"}'
WHOLE = HEAD + b"3b\r\n" + BODY + b"\r\n0\r\n\r\n"
ROOM = "!O9BGlxwTug4QDwE34gpHIbXdMpTxdcGWXJzZmIi6wDM"
SYNC = (
    b'{"next_batch":"s311_1_0_1_1_1_1_25_0_1_1_1_1_1","device_one_time_keys_count":'
    b'{"signed_curve25519":0},"device_unused_fallback_key_types":[],"rooms":{"join":{"'
    + ROOM.encode()
    + b'":{"timeline":{"events":[{"content":{"body":"0a1b2c3d000000000000....",'
    b'"msgtype":"m.text"},"event_id":"$qki8","origin_server_ts":1796112029761,"sender":'
    b'"@s:bench.local","type":"m.room.message","unsigned":{"age":192,"membership":'
    b'"join"}}],"prev_batch":"s310","limited":false},"state":{"events":[]},'
    b'"account_data":{"events":[]},"ephemeral":{"events":[]},"unread_notifications":'
    b'{"notification_count":1,"highlight_count":0},"summary":{}}}}}'
)
INVITE = (
    b'{"next_batch":"s309_1","rooms":{"invite":{"'
    + ROOM.encode()
    + b'":{"invite_state":'
    b'{"events":[{"content":{"room_version":"12"},"sender":"@s:bench.local",'
    b'"state_key":"","type":"m.room.create"}]}}}}}'
)


class AnswerTests(SynchronousTestCase):
    """
    Responses, however the network cut them.
    """

    def test_chunked(self) -> None:
        """
        A chunked response is found in pieces of any size, and so is the next one.
        """
        sized = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"
        wanted = [HttpAnswer(200, BODY), HttpAnswer(404, b"{}"), HttpAnswer(200, BODY)]
        stream = WHOLE + sized + WHOLE
        for size in (1, 7, 64, len(stream)):
            parser, found = AnswerParser(), []
            for at in range(0, len(stream), size):
                found += list(parser.feed(stream[at : at + size]))
            self.assertEqual(found, wanted)

    def test_not_http(self) -> None:
        """
        Anything else is an error at its first bytes.
        """
        for wrong in (b"SSH-2.0-OpenSSH", b"HTTP/2.0 200\r\n\r\n", b"\x00\x01\x02\x03"):
            with self.assertRaises(ValueError):
                list(AnswerParser().feed(wrong))


class SyncTests(SynchronousTestCase):
    """
    Answers of C{/sync}.
    """

    def test_messages(self) -> None:
        """
        The messages of the room are found, and not those that the reader sent.
        """
        news = synced(SYNC)
        found = list(news.bodies(ROOM, "@r:bench.local"))
        self.assertEqual(found, ["0a1b2c3d000000000000...."])
        self.assertEqual(list(news.bodies(ROOM, "@s:bench.local")), [])
        self.assertEqual(list(news.bodies("!other", "@r:bench.local")), [])

    def test_invitation(self) -> None:
        """
        An invitation names its room.
        """
        self.assertEqual(list(synced(INVITE).rooms.invite), [ROOM])

    def test_nothing(self) -> None:
        """
        An answer without news has no rooms.
        """
        self.assertEqual(synced(b'{"next_batch":"s302"}').rooms.join, {})


class RefusalTests(SynchronousTestCase):
    """
    Reasons, with a remedy where there is one.
    """

    def test_closed_registration(self) -> None:
        """
        A server where nobody can register is named with its setting.
        """
        body = b'{"errcode":"M_FORBIDDEN","error":"Registration has been disabled"}'
        reason = refusal(HttpAnswer(403, body))
        self.assertIn("403: M_FORBIDDEN Registration has been disabled", reason)
        self.assertIn("enable_registration_without_verification", reason)

    def test_token_needed(self) -> None:
        """
        A server that wants more than a name and a password is named with its setting.
        """
        body = b'{"session":"x","flows":[{"stages":["m.login.recaptcha"]}],"params":{}}'
        self.assertIn("m.login.dummy", refusal(HttpAnswer(401, body)))

    def test_limited(self) -> None:
        """
        A limit has its code.
        """
        body = b'{"errcode":"M_LIMIT_EXCEEDED","error":"Too Many Requests"}'
        self.assertEqual(
            refusal(HttpAnswer(429, body)),
            "HTTP 429: M_LIMIT_EXCEEDED Too Many Requests",
        )

    def test_no_matrix(self) -> None:
        """
        Another web server, and a lost connection, are told apart.
        """
        self.assertIn("no answer of Matrix", refusal(HttpAnswer(200, b"<html>")))
        self.assertEqual(refusal(HttpAnswer(0, b"connection lost")), "connection lost")
