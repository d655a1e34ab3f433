"""
Signing of tokens: with the key of this machine, or as a settings file expects it.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import attrs
import jwt

from wsmsg.auth.fetched import fetched_keys
from wsmsg.auth.jwt import Authenticator, BadTokenSettings
from wsmsg.auth.local_key import TokenKeyUnusable, local_key
from wsmsg.auth.private_key import read_private_key
from wsmsg.cli.paths import fail
from wsmsg.errors import Unauthenticated
from wsmsg.settings.public_key import key_algorithm
from wsmsg.settings.tokens import TokenSettings


def make_token(user: int | str, key: str, expires_s: float, now_s: float) -> str:
    """
    Make a token for a user.
    """
    return jwt.encode(_claims(user, expires_s, now_s), key, algorithm="HS256")


def local_token(user: int | str, data_dir: Path, expires_s: float = 3600.0) -> str:
    """
    Make a token with the key in the data directory, and the key if it is missing.

    @raise click.ClickException: the key cannot be used.
    """
    return make_token(user, key_of(data_dir), expires_s, time.time())


def key_of(data_dir: Path) -> str:
    """
    Return the key in the data directory, made if it is missing.

    @raise click.ClickException: the key cannot be used.
    """
    try:
        return local_key(data_dir)
    except TokenKeyUnusable as error:
        fail(str(error))


#: The settings by which Connect checks tokens.
TOKENS = ("data_dir", "token.", "legacy.token_secret", "users.")


@attrs.frozen
class TokenSigner:
    """
    Signs tokens that a Connect with these settings accepts.

    @ivar private_key: the private half of C{public_key}, as PEM, or the private key of
        an issuer (L{read_private_key}); empty: none.
    @ivar kid: the id of that key in the issuer's key set; empty: as the key says.
    @ivar names: whether users have names.
    """

    settings: TokenSettings
    data_dir: Path
    private_key: str = ""
    kid: str = ""
    names: bool = False

    def sign(self, user: int | str, expires_s: float, now_s: float) -> str:
        """
        Make a token for a user.

        @raise click.ClickException: the settings need another key, or would refuse the
            token.
        """
        claims = _claims(user, expires_s, now_s)
        if self.settings.issuer:
            claims["iss"] = self.settings.issuer
        if self.settings.audience:
            claims["aud"] = self.settings.audience
        algorithm, key, kid = self._key()
        headers = {"kid": kid} if kid else None
        try:
            token = jwt.encode(claims, key, algorithm=algorithm, headers=headers)
        except (jwt.InvalidKeyError, ValueError, TypeError):
            fail(f"--key: this is no PEM private key for {algorithm}")
        try:
            self.authenticator().authenticate(token)
        except Unauthenticated as error:
            fail(f"the settings would refuse this token: {error.reason}")
        return token

    def authenticator(self) -> Authenticator:
        """
        Return what checks the tokens in a Connect with these settings.
        """
        settings = self.settings
        secret = settings.secret.get_secret_value()
        is_local = not (secret or settings.public_key or settings.jwks)
        try:
            local = local_key(self.data_dir, make=False) if is_local else ""
            issuer = fetched_keys(settings.jwks)
            key = local.encode("ascii")
            return Authenticator(settings, key, issuer=issuer, names=self.names)
        except TokenKeyUnusable as error:
            fail(str(error))
        except BadTokenSettings as error:
            fail(f"connect.token.{error}")
        except ValueError as error:
            fail(f"connect.token.jwks: {error}")

    def _key(self) -> tuple[str, Any, str]:
        """
        Return the algorithm, the key, and its id in a key set.
        """
        settings = self.settings
        secret = settings.secret.get_secret_value()
        if self.private_key:
            return self._private_key()
        if settings.jwks and not (secret or settings.public_key):
            fail(
                "the settings believe the keys of an issuer (connect.token.jwks): name "
                "a private key of the issuer with --key FILE"
            )
        if not (secret or settings.public_key):
            return "HS256", key_of(self.data_dir), ""
        if not secret or "HS256" not in (settings.algorithms or ("HS256",)):
            algorithm = key_algorithm(settings.public_key)
            fail(
                f"the settings believe tokens signed with {algorithm}; name the "
                "private half of connect.token.public_key with --key FILE"
            )
        return "HS256", secret, ""

    def _private_key(self) -> tuple[str, Any, str]:
        settings = self.settings
        if settings.jwks:
            try:
                found = read_private_key(self.private_key, self.kid)
            except ValueError as error:
                fail(f"--key: {error}")
            return found.algorithm, found.key, found.kid
        if not settings.public_key:
            fail(
                "--key: the settings name neither connect.token.public_key nor "
                "connect.token.jwks"
            )
        return key_algorithm(settings.public_key), self.private_key, ""


def _claims(user: int | str, expires_s: float, now_s: float) -> dict[str, str | int]:
    return {"sub": str(user), "iat": int(now_s), "exp": int(now_s + expires_s)}
