"""
The constants that P9 is the sum of, and L{wsmsg.settings.notes}.
"""

from __future__ import annotations

from pydantic import SecretStr
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.connect.edge.heartbeat import DEAD_TICK, TICKS, HeartbeatSweep
from wsmsg.connect.upstream import stream, upstream
from wsmsg.message.presence.interface import LEASE_S
from wsmsg.settings.http import HttpSettings
from wsmsg.settings.kafka import KafkaSettings
from wsmsg.settings.legacy import ConnectLegacySettings
from wsmsg.settings.notes import DEAD_BEATS, OFFLINE_S, in_clear, notes
from wsmsg.settings.tokens import TokenSettings, UserSettings
from wsmsg.settings.upstream import PeerSettings
from wsmsg.settings.values import ConnectSettings, MessageSettings
from wsmsg.stream.contract import KEEPALIVE_S

#: The time that is left for the work itself.
ROOM_S = 0.1


class SilentClient:
    """
    A connection on which nothing arrives.
    """

    is_asked = False
    ticks = 0

    def tick(self) -> None:
        self.ticks += 1

    def ask(self) -> None:
        pass


class NotesTests(SynchronousTestCase):
    """
    For how long a user who is gone is shown online.
    """

    def test_client(self) -> None:
        """
        With the default settings, a client that falls silent at any moment is dead
        soon enough for the grace time to fit into 5 s as well: its Connect may be
        killed just before it noticed.
        """
        clock, client = Clock(), SilentClient()
        sweep = HeartbeatSweep(ConnectSettings().heartbeat_s, clock)
        sweep.start()
        self.addCleanup(sweep.stop)
        longest_s = 0.0
        for _ in range(100):
            clock.advance(0.0137)
            bucket = sweep.add(client)
            fell_silent_s, client.ticks = clock.seconds(), 0
            while client.ticks < DEAD_TICK:
                clock.advance(0.01)
            longest_s = max(longest_s, clock.seconds() - fell_silent_s)
            sweep.discard(client, bucket)
        self.assertGreater(longest_s, 2 * sweep.heartbeat_s)
        self.assertLessEqual(longest_s, DEAD_BEATS * sweep.heartbeat_s + 0.02)
        grace_s = MessageSettings().link_grace_s
        self.assertLessEqual(longest_s + grace_s, OFFLINE_S - ROOM_S)
        self.assertEqual(DEAD_BEATS, DEAD_TICK / TICKS)

    def test_connect(self) -> None:
        """
        With the default settings, the users of a Connect that falls silent are offline
        in time, whether its stream or its lease shows it, and also where a Message died
        with it whose word counts until its own silence is noticed.
        """
        message = MessageSettings()
        keepalive_s = max(KEEPALIVE_S, message.keepalive_s)
        found_s = 2 * keepalive_s + message.link_grace_s
        self.assertLessEqual(found_s, OFFLINE_S - ROOM_S)
        self.assertLessEqual(LEASE_S, OFFLINE_S - ROOM_S)
        beat_s = min(stream._LONGEST_BEAT_S, message.keepalive_s)
        dropped_s = stream._SILENT_BEATS * beat_s + upstream._SWEEP_S
        self.assertLessEqual(dropped_s, OFFLINE_S - ROOM_S)

    def test_defaults(self) -> None:
        """
        There is no note on the default settings.
        """
        self.assertEqual(list(notes(ConnectSettings(), MessageSettings())), [])

    def test_longer(self) -> None:
        """
        Settings that make it longer are noted, with the time.
        """
        connect = ConnectSettings(heartbeat_s=5)
        message = MessageSettings(keepalive_s=2, link_grace_s=1.5)
        self.assertEqual(
            list(notes(connect, message)),
            [
                "[connect] heartbeat_s = 5 and [message] link_grace_s = 1.5: a user "
                "whose connection died, and then its Connect, is shown online for up "
                "to 12.8 s, longer than 5 s",
                "[message] keepalive_s = 2 and link_grace_s = 1.5: a user whose "
                "Connect is silent is shown online for up to 5.5 s, longer than 5 s",
            ],
        )

    def test_row_6_in_the_clear(self) -> None:
        """
        Each server beyond this machine that a daemon dials without TLS is noted, with
        its setting and the remedy; none on this machine, and none with TLS.
        """
        far = {
            "discovery: 10.0.0.7 ": ConnectSettings(discovery="static:10.0.0.7:1"),
            "discovery: message ": ConnectSettings(discovery="dns:message:1"),
            "discovery: _rest._tcp.x.example ": ConnectSettings(
                discovery="dns:_rest._tcp.x.example"
            ),
            "journal: kafka ": MessageSettings(journal="kafka://kafka:1,localhost:2/t"),
            "store: mongo ": MessageSettings(store="mongodb://mongo/wsmsg"),
            "presence: r ": MessageSettings(
                presence="redis://r/0", peer=PeerSettings(ca="ca.pem")
            ),
        }
        for begin, settings in far.items():
            (note,) = in_clear(settings)
            self.assertTrue(note.startswith(f"{begin}is dialled without TLS"), note)
        for redis in (
            ConnectSettings(discovery="redis://me:secret@r/0"),
            MessageSettings(registry="redis://me:secret@r/0", advertise="a:1"),
        ):
            told = list(in_clear(redis))
            self.assertEqual(len(told), 2)
            self.assertIn("each Message in the list of this Redis", told[1])
            self.assertNotIn("secret", str(told))
        for settings in (
            ConnectSettings(discovery="static:127.0.0.1:1,localhost:2"),
            ConnectSettings(
                discovery="static:10.0.0.7:1", peer=PeerSettings(ca="ca.pem")
            ),
            MessageSettings(
                journal="kafka://10.0.0.7:1", kafka=KafkaSettings(tls=True)
            ),
            MessageSettings(store="mongodb://mongo/wsmsg?tls=true"),
            MessageSettings(presence="redis://localhost/0"),
            MessageSettings(presence="rediss://r/0", peer=PeerSettings(ca="ca.pem")),
        ):
            self.assertEqual(list(in_clear(settings)), [])
        mongo = MessageSettings(store="mongodb://mongo/wsmsg")
        noted = list(notes(ConnectSettings(), mongo))
        self.assertTrue(noted[0].startswith("[message] store: mongo is dialled"))

    def test_rows_2_and_3_forgotten_too_soon(self) -> None:
        """
        A longest lifetime that only Message has, or a shorter one than Connect's, is
        noted: revoked tokens could log in again.
        """
        kept = HttpSettings(token=TokenSettings(max_lifetime_s=60))
        message = MessageSettings(http=kept)
        for longest_s, is_noted in ((0, True), (61, True), (60, False), (1, False)):
            token = TokenSettings(max_lifetime_s=longest_s)
            found = list(notes(ConnectSettings(token=token), message))
            self.assertEqual(bool(found), is_noted)
        connect = ConnectSettings(token=TokenSettings(max_lifetime_s=60))
        self.assertEqual(list(notes(connect, MessageSettings())), [])

    def test_parties(self) -> None:
        """
        A public key that lets the users of other services in is noted, where other
        machines reach the listener.
        """
        jwks = "https://keys.example/set"
        for token, listen, noted in (
            (TokenSettings(jwks=jwks), "0.0.0.0:21005", "audience and issuer"),
            (TokenSettings(jwks=jwks, issuer="i"), "0.0.0.0:21005", "audience"),
            (TokenSettings(jwks=jwks, issuer="i", audience="a"), "0.0.0.0:21005", ""),
            (TokenSettings(jwks=jwks), "127.0.0.1:21005", ""),
            (TokenSettings(secret=SecretStr("s" * 32)), "0.0.0.0:21005", ""),
        ):
            connect = ConnectSettings(token=token, listen=listen)
            found = list(notes(connect, MessageSettings()))
            self.assertEqual(len(found), bool(noted))
            self.assertTrue(all(f"token: {noted} " in note for note in found), found)


class NameTests(SynchronousTestCase):
    """
    Names of users that work nowhere, or not for all clients.
    """

    def test_one_daemon_only(self) -> None:
        """
        The setting of one daemon alone lets nobody in with a name.
        """
        on = UserSettings(names=True)
        for connect, message, first in (
            (ConnectSettings(users=on), MessageSettings(), "[connect]"),
            (ConnectSettings(), MessageSettings(users=on), "[message]"),
        ):
            (note,) = notes(connect, message)
            self.assertTrue(note.startswith(f"{first} users.names = true"), note)
        both = (ConnectSettings(users=on), MessageSettings(users=on))
        self.assertEqual(list(notes(*both)), [])

    def test_legacy(self) -> None:
        """
        With settings for clients without a subprotocol, a note says what these have.
        """
        on = UserSettings(names=True)
        connect = ConnectSettings(users=on, legacy=ConnectLegacySettings(presence=True))
        (note,) = notes(connect, MessageSettings(users=on))
        self.assertIn("without a subprotocol", note)
