"""
The callers that have proven themselves to a listener of this daemon.

A challenge costs no memory, so strangers cannot fill it: the listener's nonce is an
HMAC of the connection's address and of the dialler's nonce, with a key that only this
process has.  A proof is therefore good for one connection, and its first use must
follow within a minute.  It ends when no stream is open on the connection and it has not
been used for ten seconds, and is never taken again.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Sequence

import attrs

from wsmsg.peers.secrets import NONCE_BYTES, PeerSecret, PeerSecrets, Token

#: The first call with a proof must come within one to two of these.
_EPOCH_S = 30.0
#: A proof on a connection without a stream ends when it was not used for so long.
_UNUSED_S = 10.0


@attrs.define
class ProvenCaller:
    """
    A connection whose dialler has proven itself.

    @ivar peer: the address of its other end.
    @ivar answer: the proof that goes with each answer.
    @ivar streams: the streams that are open on it.
    """

    peer: str
    answer: bytes
    until_s: float
    streams: int = 0

    def used(self, now_s: float) -> None:
        """
        Note a call.
        """
        self.until_s = now_s + _UNUSED_S

    def begin_stream(self) -> None:
        """
        Note that a stream is open: the proof lasts as long as it.
        """
        self.streams += 1

    def end_stream(self, now_s: float) -> None:
        """
        Note the end of a stream.
        """
        self.streams -= 1
        self.used(now_s)


@attrs.frozen
class Challenge:
    """
    The listener's answer to a dialler that wants to prove itself.
    """

    nonce: bytes
    key: bytes
    proof: bytes


class ProvenCallers:
    """
    The connections whose diallers have proven themselves.

    @param current: returns the secrets that are accepted now.
    @param seconds: returns monotonic seconds.
    """

    def __init__(
        self, current: Callable[[], PeerSecrets], seconds: Callable[[], float]
    ) -> None:
        self._current = current
        self._seconds = seconds
        self._key = secrets.token_bytes(NONCE_BYTES)
        self._proven: dict[bytes, ProvenCaller] = {}
        self._spent: dict[bytes, float] = {}

    def challenge(
        self, peer: str, nonce: bytes, keys: Sequence[bytes]
    ) -> Challenge | None:
        """
        Prove that this end knows a secret of the dialler.

        @param peer: the address of the connection's other end.
        @param keys: the ids of the dialler's secrets.
        @return: L{None}: this end knows none of them.
        """
        secret = self._current().common(list(keys))
        if secret is None:
            return None
        ours = self._nonce(peer, nonce, self._epoch())
        return Challenge(ours, secret.id, secret.listener_proof(nonce, ours))

    def check(self, peer: str, data: bytes) -> ProvenCaller | None:
        """
        Return the caller whose proof this is; L{None} if it proves nothing here.
        """
        now_s = self._seconds()
        known = self._proven.get(data)
        if known is not None:
            if known.peer != peer or not (known.streams or now_s < known.until_s):
                return None
            known.used(now_s)
            return known
        token = Token.decode(data)
        if token is None or token.nonce in self._spent:
            return None
        secret = self._current().get(token.key)
        if secret is None:
            return None
        ours = self._proven_nonce(peer, token, secret)
        if ours is None:
            return None
        self._forget(now_s)
        self._spent[token.nonce] = now_s + 2 * _EPOCH_S
        answer = secret.answer_proof(token.nonce, ours)
        caller = ProvenCaller(peer, answer, now_s + _UNUSED_S)
        self._proven[data] = caller
        return caller

    def end_stream(self, caller: ProvenCaller) -> None:
        """
        Note the end of a stream of a caller.
        """
        caller.end_stream(self._seconds())

    def _proven_nonce(
        self, peer: str, token: Token, secret: PeerSecret
    ) -> bytes | None:
        epoch = self._epoch()
        for when in (epoch, epoch - 1):
            ours = self._nonce(peer, token.nonce, when)
            wanted = secret.dialler_proof(token.nonce, ours)
            if hmac.compare_digest(wanted, token.proof):
                return ours
        return None

    def _nonce(self, peer: str, nonce: bytes, epoch: int) -> bytes:
        said = epoch.to_bytes(8, "big", signed=True) + nonce + peer.encode()
        return hmac.digest(self._key, said, "sha256")

    def _epoch(self) -> int:
        return int(self._seconds() / _EPOCH_S)

    def _forget(self, now_s: float) -> None:
        ended = [
            data
            for data, caller in self._proven.items()
            if not caller.streams and now_s >= caller.until_s
        ]
        for data in ended:
            del self._proven[data]
        for nonce in [n for n, until_s in self._spent.items() if now_s >= until_s]:
            del self._spent[nonce]
