"""
Tests of L{wsmsg.auth.hs256}: it accepts what PyJWT accepts, or leaves it to PyJWT.
"""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import jwt
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.auth.hs256 import usual_claims

_KEY = b"k" * 32
_NAMES = st.sampled_from(["sub", "exp", "jti", "aud", "iss", "nbf", "kid", "crit"])
_VALUES: st.SearchStrategy[Any] = st.sampled_from(
    ["7", "a", "", 7, 1.5, None, [], ["a"], {}, True]
)


def part(value: object) -> str:
    """
    Encode a part of a token.
    """
    text = json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def signed(header: object, claims: object, key: bytes = _KEY) -> str:
    """
    Return a token with any header and claims, and the right signature.
    """
    text = f"{part(header)}.{part(claims)}"
    mac = hmac.digest(key, text.encode(), "sha256")
    return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def by_pyjwt(token: str, audience: str, issuer: str) -> Any:
    """
    Return the claims, or L{None} if PyJWT refuses the token.
    """
    names = {"aud": audience, "iss": issuer}
    required = ["exp", "sub", *(name for name, wanted in names.items() if wanted)]
    options: Any = dict.fromkeys(["verify_exp", "verify_nbf", "verify_iat"], False)
    options.update(require=required, verify_aud=bool(audience))
    try:
        return jwt.decode(
            token,
            _KEY,
            algorithms=["HS256"],
            audience=audience or None,
            issuer=issuer or None,
            options=options,
        )
    except (jwt.PyJWTError, ValueError, TypeError):
        return None


class UsualTests(SynchronousTestCase):
    """
    Tokens, compared with what PyJWT says of them.
    """

    def test_usual(self) -> None:
        """
        The token that PyJWT makes is usual.
        """
        claims = {"sub": "1001", "exp": 2**40, "aud": "chat", "iss": "me"}
        token = jwt.encode(claims, _KEY, headers={"kid": "k1"})
        found = usual_claims(token, _KEY, audience="chat", issuer="me")
        self.assertEqual(found, claims)

    def test_refused(self) -> None:
        """
        Another key, another algorithm, and any change of a token are not accepted.
        """
        token = jwt.encode({"sub": "1001", "exp": 2**40}, _KEY)
        self.assertIsNone(usual_claims(token, b"x" * 32))
        headers: list[Any] = [{"alg": "none"}, {"alg": "HS512"}, {}, [], "HS256"]
        for header in headers:
            one = signed(header, {"sub": "1001", "exp": 2**40})
            self.assertIsNone(usual_claims(one, _KEY))
        for at in range(len(token)):
            for other in ("A", ".", "=", "!", "\n", "\xe9", ""):
                changed = token[:at] + other + token[at + 1 :]
                if changed != token:
                    self.assertIsNone(usual_claims(changed, _KEY), changed)

    def test_same_spelling(self) -> None:
        """
        A part whose last bits are not zero is left to PyJWT, which refuses it.
        """
        claims = base64.urlsafe_b64encode(b'{"sub":"1","exp":1} ').rstrip(b"=").decode()
        self.assertEqual(claims[-1], "A")
        text = f"{part({'alg': 'HS256'})}.{claims[:-1]}B"
        mac = hmac.digest(_KEY, text.encode(), "sha256")
        token = f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
        self.assertIsNone(usual_claims(token, _KEY))
        self.assertIsNone(by_pyjwt(token, "", ""))

    @given(
        st.dictionaries(st.sampled_from(["alg", "kid", "crit", "b64", "typ"]), _VALUES),
        st.dictionaries(_NAMES, _VALUES),
        st.sampled_from(["", "a"]),
        st.sampled_from(["", "a"]),
    )
    def test_as_pyjwt(
        self, header: dict[str, Any], claims: dict[str, Any], aud: str, iss: str
    ) -> None:
        """
        Whatever is accepted, PyJWT accepts with the same claims.
        """
        token = signed({"alg": "HS256", **header}, claims)
        found = usual_claims(token, _KEY, audience=aud, issuer=iss)
        if found is not None:
            self.assertEqual(by_pyjwt(token, aud, iss), found)
