"""
Verification of the tokens of users who call the HTTP API, by C{http.token}.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wsmsg.auth.identity import Authenticate
from wsmsg.auth.issuer import IssuerKeys, issuer_keys
from wsmsg.auth.jwt import Authenticator
from wsmsg.auth.local_key import TokenKeyUnusable, local_key
from wsmsg.dependency.retry import Backoff
from wsmsg.dependency.state import Dependency
from wsmsg.settings.tokens import TokenSettings


class UserTokens:
    """
    Makes authenticators, which share the keys of an issuer.

    @param add: called with the state of the fetches of C{http.token.jwks}.
    @ivar issuer: the keys of C{http.token.jwks}; L{None}: it is not set.
    """

    _log = Logger()

    def __init__(
        self,
        jwks: str,
        data_dir: Path,
        clock: IReactorTime,
        *,
        backoff: Backoff,
        add: Callable[[Dependency], object],
    ) -> None:
        self._data_dir = data_dir
        self.issuer: IssuerKeys | None = issuer_keys(jwks, clock, backoff)
        if self.issuer is not None:
            add(self.issuer.dependency)

    def start(self) -> None:
        """
        Begin to fetch the keys of the issuer.
        """
        if self.issuer is not None:
            self.issuer.start()

    def stop(self) -> None:
        """
        Fetch no more.
        """
        if self.issuer is not None:
            self.issuer.stop()

    def reload(self) -> None:
        """
        Fetch the keys of the issuer again.
        """
        if self.issuer is not None:
            self.issuer.reload()

    def authenticator(self, token: TokenSettings) -> Authenticate:
        """
        Return what verifies tokens by these settings, and by the key in the data
        directory as it is now.
        """
        try:
            key = local_key(self._data_dir, make=False)
        except TokenKeyUnusable as e:
            key = ""  # Connect, which makes the key, may use another data directory
            if not (token.secret.get_secret_value() or token.public_key or token.jwks):
                self._log.warn("no key checks users' tokens: {reason}", reason=str(e))
        local = key.encode("ascii")
        return Authenticator(token, local, issuer=self.issuer).authenticate
