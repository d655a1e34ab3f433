"""
A proof is good on one connection, once, and only for those who know the secret.
"""

from __future__ import annotations

import attrs
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.peers.callers import Challenge, ProvenCallers
from wsmsg.peers.guard import address_of, is_within
from wsmsg.peers.secrets import PeerSecrets, Token, new_nonce

OLD, NEW, OTHER = "o" * 32, "n" * 32, "x" * 32
HERE, THERE = "ipv4:127.0.0.1:4711", "ipv4:127.0.0.1:4712"


def answered(secrets: PeerSecrets, nonce: bytes, challenge: Challenge) -> bytes:
    """
    Return the proof of a dialler.
    """
    secret = secrets.get(challenge.key)
    assert secret is not None
    proof = secret.dialler_proof(nonce, challenge.nonce)
    return Token(secret.id, nonce, proof).encode()


class ProvenCallersTests(SynchronousTestCase):
    """
    L{ProvenCallers}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.secrets = PeerSecrets((NEW, OLD))
        self.callers = ProvenCallers(lambda: self.secrets, self.clock.seconds)

    def token(self, secret: str = NEW, peer: str = HERE) -> bytes:
        secrets, nonce = PeerSecrets((secret,)), new_nonce()
        challenge = self.callers.challenge(peer, nonce, secrets.ids)
        assert challenge is not None
        return answered(secrets, nonce, challenge)

    def test_proven(self) -> None:
        """
        A caller with a proof is served on its connection, with each secret that is
        accepted, and its answers have a proof of their own.
        """
        for secret in (NEW, OLD):
            token = self.token(secret)
            caller = self.callers.check(HERE, token)
            assert caller is not None
            self.assertEqual(len(caller.answer), 32)
            self.assertNotIn(caller.answer, token)
            self.assertIs(self.callers.check(HERE, token), caller)

    def test_other_secret(self) -> None:
        """
        A caller with another secret gets no proof of the listener, and is not served.
        """
        ids = PeerSecrets((OTHER,)).ids
        self.assertIsNone(self.callers.challenge(HERE, new_nonce(), ids))
        theirs = PeerSecrets((OTHER,)).get(ids[0])
        assert theirs is not None
        nonce = new_nonce()
        forged = Token(self.secrets.ids[0], nonce, theirs.dialler_proof(nonce, nonce))
        self.assertIsNone(self.callers.check(HERE, forged.encode()))
        for junk in (b"", b"x", bytes(72), bytes(71), bytes(1000)):
            self.assertIsNone(self.callers.check(HERE, junk))

    def test_replayed_elsewhere(self) -> None:
        """
        A proof is worth nothing on another connection, before and after its use.
        """
        token = self.token()
        self.assertIsNone(self.callers.check(THERE, token))
        self.assertIsNotNone(self.callers.check(HERE, token))
        self.assertIsNone(self.callers.check(THERE, token))

    def test_replayed_later(self) -> None:
        """
        A proof ends soon after its last stream: somebody who gets the same port of the
        same machine afterwards cannot use it again.
        """
        token = self.token()
        caller = self.callers.check(HERE, token)
        assert caller is not None
        caller.begin_stream()
        self.clock.advance(3600)
        self.assertIsNotNone(self.callers.check(HERE, token))
        self.callers.end_stream(caller)
        self.clock.advance(10.5)
        self.assertIsNone(self.callers.check(HERE, token))
        for _ in range(5):
            # Proofs of others have the ended one forgotten.
            self.callers.check(THERE, self.token(peer=THERE))
            self.assertIsNone(self.callers.check(HERE, token))
            self.clock.advance(20)

    def test_unused(self) -> None:
        """
        A proof that is not used ends: before its first use within a minute, after it
        within ten seconds.
        """
        late = self.token()
        self.clock.advance(61)
        self.assertIsNone(self.callers.check(HERE, late))
        token = self.token()
        self.assertIsNotNone(self.callers.check(HERE, token))
        self.clock.advance(10.5)
        self.assertIsNone(self.callers.check(HERE, token))

    def test_other_process(self) -> None:
        """
        A proof for one life of a daemon is worth nothing for the next.
        """
        token = self.token()
        self.callers = ProvenCallers(lambda: self.secrets, self.clock.seconds)
        self.assertIsNone(self.callers.check(HERE, token))

    def test_rotated(self) -> None:
        """
        A secret that is no longer accepted opens nothing; a connection that it opened
        goes on.
        """
        token, unused = self.token(OLD), self.token(OLD)
        caller = self.callers.check(HERE, token)
        assert caller is not None
        caller.begin_stream()
        self.secrets = PeerSecrets((NEW,))
        self.assertIsNotNone(self.callers.check(HERE, token))
        self.assertIsNone(self.callers.check(HERE, unused))

    def test_strangers_cost_nothing(self) -> None:
        """
        Whoever asks for challenges and proves nothing is not remembered.
        """
        before = attrs.asdict(Memory.of(self.callers))
        for _ in range(1000):
            self.token()
        self.assertEqual(attrs.asdict(Memory.of(self.callers)), before)

    def test_proofs_are_forgotten(self) -> None:
        """
        Connections that ended do not stay in memory.
        """
        for _ in range(200):
            self.callers.check(HERE, self.token())
            self.clock.advance(1)
        memory = Memory.of(self.callers)
        self.assertLessEqual(memory.proven, 12)
        self.assertLessEqual(memory.spent, 62)


@attrs.frozen
class Memory:
    """
    The number of proofs that a listener remembers.
    """

    proven: int
    spent: int

    @classmethod
    def of(cls, callers: ProvenCallers) -> Memory:
        return cls(len(callers._proven), len(callers._spent))


class AddressTests(SynchronousTestCase):
    """
    The addresses of callers.
    """

    def test_addresses(self) -> None:
        """
        The address is found in the name that gRPC has for a connection.
        """
        for peer, address in (
            ("ipv4:127.0.0.1:4711", "127.0.0.1"),
            ("ipv6:%5B::1%5D:4711", "::1"),
            ("ipv6:[fe80::1%25eth0]:4711", "fe80::1"),
            ("unix:/x", "unix:/x"),
        ):
            self.assertEqual(address_of(peer), address)

    def test_networks(self) -> None:
        """
        An address is within its networks, also if IPv6 carries it, and nothing else is.
        """
        networks = ("127.0.0.1/32", "10.1.0.0/16", "fd00::/8")
        for address in ("127.0.0.1", "::ffff:127.0.0.1", "10.1.255.1", "fd12::1"):
            self.assertTrue(is_within(address, networks), address)
        for address in ("127.0.0.2", "10.2.0.1", "::1", "unix:/x", "", "10.1.0.1.x"):
            self.assertFalse(is_within(address, networks), address)
