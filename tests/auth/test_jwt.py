"""
Authentication by JSON Web Tokens.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.auth.identity import Identity, parse_user
from wsmsg.auth.jwt import Authenticator, BadTokenSettings
from wsmsg.errors import Unauthenticated
from wsmsg.settings.tokens import TokenSettings

KEY = b"k" * 32
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def pem(key: Any) -> str:
    """
    The public key, as an operator pastes it into the settings.
    """
    public = key.public_key()
    text: bytes = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return text.decode()


RSA_PEM = pem(RSA_KEY)
EC_PEM = pem(EC_KEY)


def token(key: Any = KEY, algorithm: str = "HS256", **claims: Any) -> str:
    """
    A valid token of user 1001, with other claims; L{None} leaves a claim out.
    """
    payload = {"sub": "1001", "exp": int(time.time()) + 60} | claims
    payload = {k: v for k, v in payload.items() if v is not None}
    return jwt.encode(payload, key, algorithm)


def settings(**values: Any) -> TokenSettings:
    return TokenSettings(**values)


def unchecked(**values: Any) -> TokenSettings:
    """
    Settings with values that were not validated.
    """
    return settings().model_copy(
        update=values | {"secret": SecretStr(values.get("secret", ""))}
    )


def raw(header: object, payload: object, key: bytes | None) -> str:
    """
    A token that no library would create.
    """

    def part(value: object) -> bytes:
        text = value if isinstance(value, bytes) else json.dumps(value).encode()
        return base64.urlsafe_b64encode(text).rstrip(b"=")

    signed = part(header) + b"." + part(payload)
    mac = b"" if key is None else hmac.digest(key, signed, hashlib.sha256)
    return (signed + b"." + part(mac)).decode()


class AuthenticatorTests(SynchronousTestCase):
    """
    L{Authenticator}.
    """

    def setUp(self) -> None:
        self.auth = Authenticator(settings(), KEY)

    def assert_refused(self, text: str, reason: str, auth: Any = None) -> None:
        """
        The token is refused for this reason.
        """
        auth = auth or self.auth
        e = self.assertRaises(Unauthenticated, auth.authenticate, text)
        self.assertIn(reason, e.reason)

    def test_good(self) -> None:
        """
        A valid token identifies its subject, bare or after C{Bearer}.
        """
        t = token()
        self.assertEqual(self.auth.authenticate(t).user, 1001)
        self.assertEqual(self.auth.authenticate(f"Bearer {t}").user, 1001)
        self.assertEqual(self.auth.authenticate(f"bearer  {t} ").user, 1001)

    def test_biggest_user(self) -> None:
        """
        User ids go up to the end of int64 and no further.
        """
        self.assertEqual(
            self.auth.authenticate(token(sub="9223372036854775807")).user, 2**63 - 1
        )
        self.assert_refused(token(sub="9223372036854775808"), "not a user id")

    def test_bad_subjects(self) -> None:
        """
        A token whose subject is not a user id is refused.
        """
        spaced = (" 1001", "1001 ", "1001\n", "\u00a01001", "\u20031001", "1001\u200b")
        for sub in (
            *spaced,
            "",
            "0",
            "-1",
            "01",
            "1.0",
            "abc",
            "١٢",
            "9" * 5000,
            "1 2",
        ):
            self.assertRaises(Unauthenticated, self.auth.authenticate, token(sub=sub))
        odd = raw({"alg": "HS256", "typ": "JWT"}, {"sub": 1001, "exp": 2**40}, KEY)
        self.assert_refused(odd, "not a user id")

    def test_missing(self) -> None:
        """
        An empty token, or one without subject or expiry, is refused; the reason names
        what is missing.
        """
        self.assert_refused("", "no token")
        self.assert_refused("Bearer ", "cannot be read")
        self.assert_refused(token(sub=None), "no sub")
        self.assert_refused(token(exp=None), "no exp")

    def test_expired(self) -> None:
        """
        A token is valid for the leeway after its expiry, and no longer.
        """
        now = int(time.time())
        self.assertEqual(self.auth.authenticate(token(exp=now - 5)).user, 1001)
        self.assert_refused(token(exp=now - 60), "expired")

    def test_not_yet(self) -> None:
        """
        A token is refused before its C{nbf}.
        """
        self.assert_refused(token(nbf=int(time.time()) + 60), "not valid yet")

    def test_wrong_key(self) -> None:
        """
        A token signed by another key is refused.
        """
        self.assert_refused(token(b"x" * 32), "signature")

    def test_tampered(self) -> None:
        """
        A token whose payload was changed is refused.
        """
        head, _, signature = token().split(".")
        payload = token(sub="1").split(".")[1]
        self.assert_refused(f"{head}.{payload}.{signature}", "signature")

    def test_none(self) -> None:
        """
        A token without a signature is refused, whatever its algorithm is called.
        """
        for alg in ("none", "None", "NONE", "", None, 7, ["HS256"]):
            for key in (None, KEY):
                text = raw({"alg": alg}, {"sub": "1001", "exp": 2**40}, key)
                self.assertRaises(Unauthenticated, self.auth.authenticate, text)

    def test_confusion(self) -> None:
        """
        A token signed with the text of the public key as HS256 secret is refused, even
        if HS256 has a key too.
        """
        for public in (RSA_PEM, EC_PEM):
            for key in (public.encode(), public.strip().encode()):
                text = raw(
                    {"alg": "HS256", "typ": "JWT"}, {"sub": "1", "exp": 2**40}, key
                )
                self.assert_refused(
                    text,
                    "algorithm",
                    Authenticator(settings(public_key=public), KEY),
                )
                both = settings(public_key=public, secret="s" * 32)
                self.assert_refused(text, "signature", Authenticator(both, KEY))

    def test_public_keys(self) -> None:
        """
        RS256 and ES256 tokens are valid with their public key.
        """
        for key, public, algorithm in (
            (RSA_KEY, RSA_PEM, "RS256"),
            (EC_KEY, EC_PEM, "ES256"),
        ):
            auth = Authenticator(settings(public_key=public), b"")
            self.assertEqual(auth.authenticate(token(key, algorithm)).user, 1001)

    def test_local_key_only_alone(self) -> None:
        """
        The local key is not used if the settings name a key.
        """
        auth = Authenticator(settings(secret="s" * 32), KEY)
        self.assert_refused(token(), "signature", auth)
        self.assertEqual(auth.authenticate(token(b"s" * 32)).user, 1001)

    def test_algorithms(self) -> None:
        """
        Only the algorithms that the settings list are accepted.
        """
        auth = Authenticator(
            settings(public_key=RSA_PEM, secret="s" * 32, algorithms=("RS256",)), b""
        )
        self.assert_refused(token(b"s" * 32), "algorithm", auth)
        self.assertEqual(auth.authenticate(token(RSA_KEY, "RS256")).user, 1001)

    def test_audience_and_issuer(self) -> None:
        """
        If the settings require an audience and an issuer, a token needs both.
        """
        auth = Authenticator(settings(audience="chat", issuer="login"), KEY)
        self.assertEqual(auth.authenticate(token(aud="chat", iss="login")).user, 1001)
        self.assert_refused(token(aud="mail", iss="login"), "audience", auth)
        self.assert_refused(token(aud="chat", iss="me"), "issuer", auth)
        self.assert_refused(token(iss="login"), "no aud", auth)
        self.assertEqual(self.auth.authenticate(token(aud="any")).user, 1001)

    def test_debug_off(self) -> None:
        """
        Without a debug token in the settings, no token is the debug token.
        """
        for text in ("", "auth-debug", ":1001", "auth-debug:1001"):
            self.assertRaises(Unauthenticated, self.auth.authenticate, text)
            self.assertRaises(Unauthenticated, self.auth.authenticate, text, 1001)

    def test_debug(self) -> None:
        """
        The debug token identifies the user that the header or C{hello} names.
        """
        auth = Authenticator(settings(debug_token="auth-debug"), KEY)
        self.assertEqual(auth.authenticate("Bearer auth-debug", 1002).user, 1002)
        self.assertEqual(auth.authenticate("auth-debug:1003").user, 1003)
        self.assertEqual(auth.authenticate("auth-debug:1003", 1003).user, 1003)
        self.assertEqual(auth.authenticate("auth-debug:1003").expires_s, 0)
        for text in ("", ":", ":0", ":x", ":1:2", ":-1"):
            self.assertRaises(Unauthenticated, auth.authenticate, f"auth-debug{text}")
        self.assertRaises(Unauthenticated, auth.authenticate, "auth-debuG", 1002)
        self.assertRaises(Unauthenticated, auth.authenticate, "auth-debug:1", 2)

    def test_claimed_user(self) -> None:
        """
        A client that claims to be another user than the token's subject is refused.
        """
        self.assertEqual(self.auth.authenticate(token(), 1001).user, 1001)
        e = self.assertRaises(Unauthenticated, self.auth.authenticate, token(), 1002)
        self.assertIn("another user", e.reason)

    def test_expires(self) -> None:
        """
        The identity expires with the token, and has the time of its issue.
        """
        now = int(time.time())
        identity = self.auth.authenticate(token(exp=now + 100, iat=now - 1))
        self.assertEqual(identity, Identity(1001, now + 100.0, now - 1.0))
        self.assertEqual(identity.expires_ms, (now + 100) * 1000)

    def test_absurd_times(self) -> None:
        """
        A token whose expiry is no time is refused, and the reason names it.
        """
        absurd: tuple[Any, ...] = ("9999999999", 1e300, -1, True, [], {}, "x", 2**40)
        for exp in absurd:
            text = raw({"alg": "HS256"}, {"sub": "1001", "exp": exp}, KEY)
            self.assert_refused(text, "the token's exp is not a time")
        for bare in (b"1e999", b"-Infinity", b"NaN"):
            body = b'{"sub":"1001","exp":' + bare + b"}"
            self.assert_refused(raw({"alg": "HS256"}, body, KEY), "exp is not a time")
        self.assertEqual(
            self.auth.authenticate(token(exp=time.time() + 1.5)).user, 1001
        )

    def test_read_user(self) -> None:
        """
        A user id is a decimal number from 1 to 2^63-1.
        """
        self.assertEqual(parse_user("7"), 7)
        for text in (" 7", "7 ", "", "+7", "7.0", "0x7", "٧", None, 7):
            self.assertRaises(Unauthenticated, parse_user, text)

    def test_apply_settings(self) -> None:
        """
        Settings can change at any time; settings that contradict each other change
        nothing.
        """
        self.auth.apply_settings(settings(secret="n" * 32))
        self.assertEqual(self.auth.authenticate(token(b"n" * 32)).user, 1001)
        self.assert_refused(token(), "signature")
        self.assertRaises(
            BadTokenSettings, self.auth.apply_settings, settings(algorithms=("ES256",))
        )
        self.assertEqual(self.auth.authenticate(token(b"n" * 32)).user, 1001)

    def test_bad_settings(self) -> None:
        """
        Settings that contradict each other are refused by the name of a key.
        """
        curve = pem(ec.generate_private_key(ec.SECP384R1()))
        for values, word in (
            ({"public_key": "nonsense"}, "public_key"),
            ({"public_key": curve}, "public_key"),
            ({"secret": RSA_PEM}, "secret"),
            ({"algorithms": ("RS256",)}, "RS256"),
            ({"public_key": EC_PEM, "algorithms": ("HS256",)}, "HS256"),
        ):
            e = self.assertRaises(
                BadTokenSettings, Authenticator, unchecked(**values), KEY
            )
            self.assertIn(word, str(e))

    def test_short_secret(self) -> None:
        """
        A short secret works; the log warns, without the secret.
        """
        with capturedLogs() as logs:
            auth = Authenticator(settings(secret="short-one"), KEY)
        self.assertEqual([e["log_level"] for e in logs], [LogLevel.warn])
        self.assertNotIn("short-one", repr(logs))
        self.assertEqual(auth.authenticate(token(b"short-one")).user, 1001)

    def test_deep(self) -> None:
        """
        A deeply nested header, or a long token, is refused like any other bad token.
        """
        self.assert_refused(raw(b"[" * 2500, {}, KEY), "cannot be read")
        self.assert_refused("a" * 5000, "characters")

    @given(st.text(max_size=200))
    def test_garbage(self, text: str) -> None:
        """
        Any text that is not a token is refused.
        """
        self.assertRaises(Unauthenticated, self.auth.authenticate, text)

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=10,
        ),
        st.dictionaries(
            st.sampled_from(["alg", "typ", "kid", "crit", "b64", "jwk"]),
            st.none() | st.text() | st.integers() | st.just("HS256"),
        ),
    )
    def test_odd_json(self, payload: object, header: dict[str, object]) -> None:
        """
        Tokens of odd JSON are refused even with a valid signature.
        """
        text = raw(header, payload, KEY)
        self.assertRaises(Unauthenticated, self.auth.authenticate, text)

    @given(st.integers(0, 200), st.integers(1, 255))
    def test_flipped(self, at: int, bits: int) -> None:
        """
        A valid token with one byte changed never identifies another user.
        """
        good = bytearray(token(), "ascii")
        good[at % len(good)] ^= bits
        try:
            user = self.auth.authenticate(good.decode("latin-1")).user
        except Unauthenticated:
            return
        self.assertEqual(user, 1001)
