"""
C{wsmsg token --key} with the private key of an issuer.
"""

from __future__ import annotations

import json
from typing import Any

import jwt
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from tests.auth.issuers import EC_KEY, ED_KEY, KEYS, RSA_KEY, entry, key_set
from tests.cli.token.test_token import TokenCase

_MAKERS: dict[str, Any] = {
    "RS256": jwt.algorithms.RSAAlgorithm,
    "ES256": jwt.algorithms.ECAlgorithm,
    "EdDSA": jwt.algorithms.OKPAlgorithm,
}


def private(algorithm: str, kid: str = "") -> dict[str, Any]:
    """
    Return a private key as a JWK.
    """
    made: dict[str, Any] = json.loads(_MAKERS[algorithm].to_jwk(KEYS[algorithm]))
    made.pop("key_ops", None)
    return made | ({"kid": kid} if kid else {})


class KeySetTests(TokenCase):
    """
    Settings that believe the keys of an issuer.
    """

    def setUp(self) -> None:
        super().setUp()
        keys = self.folder / "keys.json"
        keys.write_bytes(
            key_set(entry("RS256", "r1"), entry("ES256", "e1"), entry("EdDSA", "d1"))
        )
        self.configure(f'jwks = "{keys}"')

    def signed(self, key: str | bytes, *more: str) -> str:
        """
        Sign with the content of a key file, and return what the command prints.
        """
        file = self.folder / "private"
        file.write_bytes(key if isinstance(key, bytes) else key.encode())
        return self.token("1001", "--key", str(file), *more).output.strip()

    def test_rows_2_and_3_private_jwk(self) -> None:
        """
        A private JWK of each algorithm signs a token that names its kid.
        """
        for algorithm, kid in (("RS256", "r1"), ("ES256", "e1"), ("EdDSA", "d1")):
            token = self.signed(json.dumps(private(algorithm, kid)))
            header = jwt.get_unverified_header(token)
            self.assertEqual((header["alg"], header["kid"]), (algorithm, kid))
            key = KEYS[algorithm].public_key()
            claims = jwt.decode(token, key, algorithms=[algorithm])
            self.assertEqual(claims["sub"], "1001")

    def test_rows_2_and_3_pem_with_kid(self) -> None:
        """
        A private key as PEM signs with C{--kid}, or without if the set has one key of
        its algorithm.
        """
        for key, kid in ((RSA_KEY, "r1"), (EC_KEY, "e1"), (ED_KEY, "d1")):
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            header = jwt.get_unverified_header(self.signed(pem, "--kid", kid))
            self.assertEqual(header["kid"], kid)
            self.assertNotIn("kid", jwt.get_unverified_header(self.signed(pem)))

    def test_set_of_private_keys(self) -> None:
        """
        C{--kid} names the one to take of several private keys.
        """
        keys = json.dumps({"keys": [private("ES256", "e1"), private("RS256", "r1")]})
        self.assertIn("2 private keys in the set are meant", self.signed(keys))
        header = jwt.get_unverified_header(self.signed(keys, "--kid", "r1"))
        self.assertEqual(header["alg"], "RS256")

    def test_mistakes(self) -> None:
        """
        A key that cannot sign what the settings believe is one line, without the key.
        """
        secret = {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0", "d": "x"}
        for key, more, reason in (
            (json.dumps(entry("ES256", "e1")), (), "has no private part (d)"),
            (json.dumps(private("ES256", "e1")), ("--kid", "e2"), "another kid"),
            (json.dumps(private("ES256", "zz")), (), "the issuer has no key with the"),
            (json.dumps(private("ES256", "r1")), (), "the settings would refuse this"),
            (json.dumps(secret), (), "the JWK is for HS256"),
            ("{", (), "neither a PEM private key nor a private JWK"),
            ("[]", (), "neither a PEM private key nor a private JWK"),
            ('{"kty": "EC", "d": 5}', (), "neither a PEM private key nor a private"),
            ("-----BEGIN PRIVATE KEY-----", (), "neither a PEM private key nor"),
        ):
            told = self.signed(key, *more)
            self.assertIn(reason, told)
            self.assertEqual(len(told.splitlines()), 1, told)
            self.assertNotIn("c2Vj", told)
        told = self.token("1001").output
        self.assertIn("name a private key of the issuer with --key FILE", told)
