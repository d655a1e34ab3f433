"""
The secrets that the daemons of one system share, and what is computed with them.

Each proof is an HMAC-SHA256 over a label and the nonces of both ends, so it is worth
nothing elsewhere, or in the other direction.  No secret crosses the network.
"""

from __future__ import annotations

import hmac
import secrets

import attrs

#: The metadata of a call with the dialler's proof, of an answer with the listener's.
PROOF = "wsmsg-proof-bin"

NONCE_BYTES = 32
ID_BYTES = 8
_MAC_BYTES = 32
#: The most secrets that a dialler may name.
MOST_KEYS = 16


def new_nonce() -> bytes:
    """
    Return random bytes that are used once.
    """
    return secrets.token_bytes(NONCE_BYTES)


@attrs.frozen
class PeerSecret:
    """
    One secret.

    @ivar id: names the secret to others who know it, and tells nothing of it.
    """

    value: bytes = attrs.field(repr=False)
    id: bytes = attrs.field(init=False)

    @id.default
    def _id_of_value(self) -> bytes:
        return self._mac("id")[:ID_BYTES]

    def listener_proof(self, dialler: bytes, listener: bytes) -> bytes:
        """
        Return the proof of the listening end, by the nonces of both.
        """
        return self._mac("listener", dialler, listener)

    def dialler_proof(self, dialler: bytes, listener: bytes) -> bytes:
        """
        Return the proof of the dialling end.
        """
        return self._mac("dialler", dialler, listener)

    def answer_proof(self, dialler: bytes, listener: bytes) -> bytes:
        """
        Return what the listener adds to its answers on a proven connection.
        """
        return self._mac("answer", dialler, listener)

    def _mac(self, label: str, *parts: bytes) -> bytes:
        said = b"".join((b"wsmsg ", label.encode(), b"\0", *parts))
        return hmac.digest(self.value, said, "sha256")


class PeerSecrets:
    """
    The secrets that a daemon accepts: the first is the one that it prefers.
    """

    def __init__(self, values: tuple[str, ...]) -> None:
        self._by_id = {s.id: s for s in (PeerSecret(v.encode()) for v in values)}

    @property
    def ids(self) -> list[bytes]:
        """
        The ids of all secrets, the preferred one first.
        """
        return list(self._by_id)

    def get(self, key: bytes) -> PeerSecret | None:
        """
        Return the secret with this id, if it is one of these.
        """
        return self._by_id.get(key)

    def common(self, keys: list[bytes]) -> PeerSecret | None:
        """
        Return the first of these secrets that the other end knows too.
        """
        named = set(keys)
        return next((s for key, s in self._by_id.items() if key in named), None)


@attrs.frozen
class Token:
    """
    The dialler's proof, as it is in the metadata of its calls.
    """

    key: bytes
    nonce: bytes
    proof: bytes

    def encode(self) -> bytes:
        return self.key + self.nonce + self.proof

    @classmethod
    def decode(cls, data: bytes) -> Token | None:
        """
        Return the token in these bytes, or L{None} if they are none.
        """
        if len(data) != ID_BYTES + NONCE_BYTES + _MAC_BYTES:
            return None
        end = ID_BYTES + NONCE_BYTES
        return cls(data[:ID_BYTES], data[ID_BYTES:end], data[end:])
