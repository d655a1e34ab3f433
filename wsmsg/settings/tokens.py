"""
Sections C{token} and C{http.token}: verification of users' tokens.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from wsmsg.settings.base import Section


def _public_key(text: str) -> str:
    # Imported only when a key is read: cryptography is slow to load.
    from wsmsg.settings.public_key import read_public_key

    return read_public_key(text)


class TokenSettings(Section):
    """
    Verification of tokens.

    @ivar secret: the HS256 key.  With neither this nor a public key, the key in
        C{<data_dir>/token.key} is used, which Connect makes if it is missing.
    @ivar public_key: a PEM public key for RS256 or ES256, or the path of a file with
        one; after reading always the key itself.
    @ivar debug_token: a token that is accepted for every user; empty: none.
    """

    secret: SecretStr = SecretStr("")
    public_key: Annotated[str, AfterValidator(_public_key)] = ""
    algorithms: tuple[Literal["HS256", "RS256", "ES256"], ...] = ()
    audience: str = ""
    issuer: str = ""
    leeway_s: Annotated[float, Field(ge=0, le=3600)] = 10.0
    debug_token: SecretStr = SecretStr("")
