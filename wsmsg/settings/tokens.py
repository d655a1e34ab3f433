"""
Sections C{token} and C{http.token}: verification of users' tokens; and C{users}.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from wsmsg.settings.base import Section

#: Algorithms whose keys are public.
PublicAlgorithm = Literal["RS256", "ES256", "EdDSA"]
PUBLIC_ALGORITHMS: tuple[str, ...] = get_args(PublicAlgorithm)


def _public_key(text: str) -> str:
    # Imported only when a key is read: cryptography is slow to load.
    from wsmsg.settings.public_key import read_public_key

    return read_public_key(text)


def _jwks(text: str) -> str:
    """
    Check the place of a key set; a file has to be readable.
    """
    if not text:
        return text
    if "://" not in text:
        try:
            with Path(text).expanduser().open("rb"):
                return text
        except OSError as e:
            reason = f"neither a URL nor a readable file: {e.strerror}"
            raise ValueError(reason) from None
    if not (text.isascii() and text.isprintable() and " " not in text):
        raise ValueError("a URL has only printable ASCII characters")
    try:
        url = urlsplit(text)
        known = url.scheme in ("http", "https") and url.hostname and url.port != 0
    except ValueError:
        known = False
    if not known:
        raise ValueError("only http:// and https:// URLs, and files, are read")
    if url.username is not None or url.password is not None:
        raise ValueError("a login in the URL is not supported")
    return text


class UserSettings(Section):
    """
    The users.

    @ivar names: a token's subject may be a name of the application
        (L{wsmsg.names}), and clients and services may use names in place of numbers.
    """

    names: bool = False


class TokenSettings(Section):
    """
    Verification of tokens.

    @ivar secret: the HS256 key.  With neither this nor a public key, the key in
        C{<data_dir>/token.key} is used, which Connect makes if it is missing.
    @ivar public_key: a PEM public key for RS256 or ES256, or the path of a file with
        one; after reading always the key itself.
    @ivar jwks: the URL or the file of the issuer's key set (RFC 7517).
    @ivar max_lifetime_s: the longest lifetime of a token; 0: any.
    @ivar debug_token: a token that is accepted for every user; empty: none.
    """

    secret: SecretStr = SecretStr("")
    public_key: Annotated[str, AfterValidator(_public_key)] = ""
    jwks: Annotated[str, AfterValidator(_jwks)] = ""
    algorithms: tuple[Literal["HS256", PublicAlgorithm], ...] = ()
    audience: str = ""
    issuer: str = ""
    leeway_s: Annotated[float, Field(ge=0, le=3600)] = 10.0
    max_lifetime_s: Annotated[float, Field(ge=0, le=10**9)] = 0.0
    debug_token: SecretStr = SecretStr("")
