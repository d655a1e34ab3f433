"""
Access control of the admin listener.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from wsmsg.http.access import FOREIGN, OPEN, AccessLevel, Caller
from wsmsg.http.pages import Pages
from wsmsg.settings.values import Common


class OperatorAccess:
    """
    Admits the requests of programs, and none of web pages.
    """

    def __init__(self, settings: Common) -> None:
        self.apply_settings(settings)

    def apply_settings(self, settings: Common) -> None:
        """
        Apply other settings to the requests that follow.
        """
        self._pages = Pages(hosts=settings.hosts)

    @contextmanager
    def admit(self, request: Any, level: AccessLevel) -> Iterator[Caller]:
        """
        Admit a request (L{wsmsg.http.resource.Gate}).
        """
        if level is AccessLevel.UNLIMITED:
            yield FOREIGN if self._pages.is_foreign(request) else OPEN
            return
        self._pages.check(request)
        yield OPEN
