"""
Access control of the admin listener, and the key that operators present to it.

The key is in the file C{admin.key} of the data directory: whoever may read the files of
the daemon may know its state.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twisted.logger import Logger

from wsmsg.auth.api_keys import given_secret
from wsmsg.auth.local_key import ADMIN_KEY, TokenKeyUnusable, local_key
from wsmsg.auth.reread import NOTHING_READ, FileRead
from wsmsg.auth.scopes import Scope
from wsmsg.errors import Unauthenticated
from wsmsg.http.access import FOREIGN, OPEN, UNKNOWN, AccessLevel, Caller
from wsmsg.http.errors import Conventions
from wsmsg.http.pages import Pages
from wsmsg.settings.values import Common

_OPERATOR = Caller(name="(operator)")


class OperatorAccess:
    """
    Admits the requests of programs, and none of web pages.  Calls that are for services
    on other listeners need the key of operators here.

    @raise TokenKeyUnusable: there is no such key, and none can be made.
    """

    _log = Logger()

    def __init__(self, settings: Common, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._key = local_key(data_dir, name=ADMIN_KEY).encode()
        self.apply_settings(settings)

    def apply_settings(self, settings: Common) -> None:
        """
        Apply other settings to the requests that follow.
        """
        self._pages = Pages(hosts=settings.hosts)

    def read_key(self) -> Sequence[FileRead]:
        """
        Read the key again, and go on with the old one if that fails.
        """
        try:
            key = local_key(self._data_dir, name=ADMIN_KEY).encode()
        except TokenKeyUnusable as e:
            self._log.error("the old {file} stays in use: {e}", file=ADMIN_KEY, e=e)
            return NOTHING_READ
        changed, self._key = key != self._key, key
        return [FileRead(ADMIN_KEY, changed)]

    @contextmanager
    def admit(
        self, request: Any, level: AccessLevel, scope: Scope | None
    ) -> Iterator[Caller]:
        """
        Admit a request (L{wsmsg.http.resource.Gate}).
        """
        if level is AccessLevel.UNLIMITED:
            yield FOREIGN if self._pages.is_foreign(request) else OPEN
            return
        self._pages.check(request)
        if level is AccessLevel.ANYBODY:
            yield OPEN
            return
        if not self._has_key(request):
            raise Unauthenticated(
                "this call needs the key of operators: Authorization: Bearer, with "
                f"the content of {ADMIN_KEY} in the daemon's data directory"
            )
        yield _OPERATOR

    def who(self, request: Any) -> tuple[str, str]:
        """
        Return the name and the address of a caller, for the audit.
        """
        name = _OPERATOR.name if self._has_key(request) else UNKNOWN
        return name, getattr(request.getClientAddress(), "host", "")

    def readable(self, request: Any, conventions: Conventions) -> Mapping[str, str]:
        """
        Let no page of another site read an answer.
        """
        return {}

    def _has_key(self, request: Any) -> bool:
        given = given_secret(request.getHeader("authorization") or "")
        return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._key)
