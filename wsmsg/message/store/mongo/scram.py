"""
The login by SCRAM-SHA-256 (RFC 5802, RFC 7677), which the driver lacks.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import pbkdf2_hmac, sha256

from pymongo.saslprep import saslprep

#: The server chooses the iterations; fewer than this would expose the password.
_LEAST_ITERATIONS = 4096


class Refused(Exception):
    """
    The login failed, with the reason.
    """


class Scram:
    """
    One login, from the side of the client.

    @param nonce: random, printable, without a comma.
    """

    def __init__(self, user: str, password: str, nonce: str) -> None:
        name = user.replace("=", "=3D").replace(",", "=2C")
        self._password = saslprep(password).encode()
        self._nonce = nonce
        self._bare = f"n={name},r={nonce}"
        self._expected = b""

    def first(self) -> bytes:
        """
        Return the first message of the client.
        """
        return b"n,," + self._bare.encode()

    def proof(self, reply: bytes) -> bytes:
        """
        Return the answer to the first message of the server.
        """
        parts = _parts(reply)
        nonce = parts.get("r", "")
        if not nonce.startswith(self._nonce) or nonce == self._nonce:
            raise Refused("the server did not use our nonce")
        rounds = int(parts.get("i", "0"))
        if rounds < _LEAST_ITERATIONS:
            raise Refused(f"the server wants {rounds} iterations, which is too few")
        salted = pbkdf2_hmac("sha256", self._password, b64decode(parts["s"]), rounds)
        final = f"c=biws,r={nonce}"
        spoken = f"{self._bare},{reply.decode()},{final}".encode()
        key = _hmac(salted, b"Client Key")
        signature = _hmac(sha256(key).digest(), spoken)
        proof = bytes(a ^ b for a, b in zip(key, signature, strict=True))
        self._expected = _hmac(_hmac(salted, b"Server Key"), spoken)
        return f"{final},p={b64encode(proof).decode()}".encode()

    def check(self, reply: bytes) -> None:
        """
        Check by the last message of the server that it knows the password as well.

        @raise Refused: it does not.
        """
        signature = b64decode(_parts(reply).get("v", ""))
        if not hmac.compare_digest(signature, self._expected):
            raise Refused("the server could not prove that it knows the password")


def _parts(reply: bytes) -> Mapping[str, str]:
    items = (item.partition("=") for item in reply.decode().split(","))
    return {name: value for name, _, value in items}


def _hmac(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, sha256).digest()
