"""
Key sets of issuers.
"""

from __future__ import annotations

import json

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from twisted.trial.unittest import SynchronousTestCase

from tests.auth.issuers import RSA_KEY, entry, key_set
from wsmsg.auth.key_set import MOST_BYTES, MOST_KEYS, BadKeySet, read_key_set


class KeySetTests(SynchronousTestCase):
    """
    L{read_key_set}.
    """

    def test_keys(self) -> None:
        """
        Keys for RS256, ES256 and EdDSA are found by their ids.
        """
        found = read_key_set(
            key_set(entry("RS256", "a"), entry("ES256", "b"), entry("EdDSA", "c"))
        )
        self.assertEqual(found.skipped, ())
        for kid, algorithm in (("a", "RS256"), ("b", "ES256"), ("c", "EdDSA")):
            self.assertIsNotNone(found.find(kid, algorithm))
            self.assertIs(found.find("", algorithm), found.find(kid, algorithm))
        self.assertIsNone(found.find("a", "ES256"))
        self.assertIsNone(found.find("d", "RS256"))

    def test_no_id(self) -> None:
        """
        A token that names no key is checked by the only key for its algorithm.
        """
        other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        two = read_key_set(key_set(entry("RS256"), entry("RS256", "b", other)))
        self.assertIsNone(two.find("", "RS256"))
        self.assertIsNotNone(read_key_set(key_set(entry("RS256"))).find("", "RS256"))

    def test_skipped(self) -> None:
        """
        A key that is symmetric, private, short, for another purpose or of another kind
        is skipped with the reason; the others are used.
        """
        private = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(RSA_KEY))
        short = rsa.generate_private_key(public_exponent=65537, key_size=1024)
        other = ec.generate_private_key(ec.SECP384R1())
        for bad, reason in (
            ({"kty": "oct", "k": "AAAA", "kid": "x"}, "symmetric"),
            (private | {"kid": "x"}, "private"),
            (entry("RS256", "x", short), "at least 2048 bits"),
            (entry("RS256", "x", use="enc"), "not for signatures"),
            (entry("RS256", "x", key_ops=["encrypt"]), "not for verifying"),
            (entry("RS256", "x", alg="RS512"), "not for RS256"),
            (entry("ES256", "x", other), "not for RS256 or ES256 or EdDSA"),
            ({"kty": "RSA", "kid": "x"}, "cannot be read"),
            ({"kty": "RSA", "kid": "x", "n": 5, "e": []}, "cannot be read"),
            ({"kty": "what", "kid": "x"}, "kty"),
            ({"kid": "x"}, "kty"),
            (entry("RS256") | {"kid": 5}, "not a text"),
            (entry("ES256", "good"), "the same kid"),
        ):
            found = read_key_set(key_set(entry("ES256", "good"), bad))
            self.assertEqual(len(found.keys), 1)
            (why,) = found.skipped
            self.assertIn(reason, why)

    def test_bad(self) -> None:
        """
        Bytes that are no key set, or have no key that could be used, are refused in one
        line.
        """
        for data, reason in (
            (b"<html>", "not JSON"),
            (b"[" * 100_000, "not JSON"),
            (b"\xff\xfe", "not JSON"),
            (b"[]", "not a key set"),
            (b'{"keys": {}}', "not a key set"),
            (b'{"keys": [5]}', "not an object"),
            (b'{"keys": []}', "no key"),
            (key_set({"kty": "oct", "k": "AAAA"}), "symmetric"),
            (key_set(*[entry("ES256", str(n)) for n in range(MOST_KEYS + 1)]), "101"),
            (b" " * (MOST_BYTES + 1), "longer"),
        ):
            e = self.assertRaises(BadKeySet, read_key_set, data)
            self.assertIn(reason, str(e))
            self.assertNotIn("\n", str(e))
