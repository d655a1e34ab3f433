"""
Verification of the tokens of users who call the HTTP API, by C{http.token}.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wsmsg.auth.identity import Identity
from wsmsg.auth.issuer import IssuerKeys, issuer_keys
from wsmsg.auth.jwt import Authenticator
from wsmsg.auth.local_key import FILE_NAME, TokenKeyUnusable, local_key
from wsmsg.auth.reread import NOTHING_READ, FileRead
from wsmsg.daemon.app import Daemon
from wsmsg.errors import Unauthenticated
from wsmsg.http.access import Identify
from wsmsg.message.store.interface import INames
from wsmsg.settings.tokens import TokenSettings


@attrs.frozen
class CheckedTokens:
    """
    An authenticator for tokens that may be revoked.

    @ivar check: raises L{wsmsg.errors.WsmsgError} for a token that is revoked.
    @ivar names: the names of users; L{None}: they have none.
    """

    verifier: Authenticator
    check: Callable[[Identity], object]
    names: INames | None = None

    async def authenticate(self, token: str, user: int) -> Identity:
        """
        Identify the bearer of a token: L{wsmsg.http.access.Identify}.
        """
        try:
            identity = self.verifier.authenticate(token, user)
        except Unauthenticated as error:
            # A name is no number, so whose token it is, the store says.
            if self.names is None or error.fault != "other_user":
                raise
            identity = self.verifier.authenticate(token)
            if not identity.name:
                raise
            found = await self.names.look_up([identity.name], ())
            if found.get(identity.name) != user:
                raise
            identity = identity._replace(user=user)
        self.check(identity)
        return identity


class UserTokens:
    """
    Makes authenticators, which share the keys of an issuer.

    @param check: raises L{wsmsg.errors.WsmsgError} for a token that is revoked.
    @param names: the names of users; L{None}: they have none.
    @param daemon: shows the state of the fetches of C{http.token.jwks}.
    @ivar issuer: the keys of C{http.token.jwks}; L{None}: it is not set.
    """

    _log = Logger()

    def __init__(
        self,
        jwks: str,
        daemon: Daemon,
        clock: IReactorTime,
        *,
        check: Callable[[Identity], object],
        names: INames | None = None,
    ) -> None:
        self._check = check
        self._names = names
        self._data_dir = daemon.data_dir
        self._key: str | None = None
        self.issuer: IssuerKeys | None = issuer_keys(jwks, clock, daemon.backoff)
        if self.issuer is not None:
            daemon.health.add(self.issuer.dependency)
            daemon.on_files(self.issuer.reload)

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

    def read_key(self) -> Sequence[FileRead]:
        """
        Tell whether the key in the data directory is another one than that which has
        verified tokens so far.
        """
        try:
            key = local_key(self._data_dir, make=False)
        except TokenKeyUnusable:
            return NOTHING_READ
        before, self._key = self._key, key
        return [FileRead(FILE_NAME, before not in (None, key))]

    def authenticator(self, token: TokenSettings) -> Identify:
        """
        Return what verifies tokens by these settings, and by the key in the data
        directory as it is now.
        """
        key = ""  # Connect, which makes the key, may use another data directory
        try:
            key = local_key(self._data_dir, make=False)
        except TokenKeyUnusable as e:
            if not (token.secret.get_secret_value() or token.public_key or token.jwks):
                self._log.warn("no key checks users' tokens: {reason}", reason=str(e))
        self._key, local = key, key.encode("ascii")
        named = self._names is not None
        verifier = Authenticator(token, local, issuer=self.issuer, names=named)
        return CheckedTokens(verifier, self._check, self._names).authenticate
