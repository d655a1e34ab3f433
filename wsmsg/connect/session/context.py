"""
What all sessions of a node share.
"""

from __future__ import annotations

import attrs
from twisted.internet.interfaces import IReactorTime

from wsmsg.connect.session.registry import Registry
from wsmsg.connect.upstream.interface import Authenticate, IUpstream
from wsmsg.settings.values import ConnectSettings, LimitSettings


@attrs.frozen(kw_only=True)
class SessionContext:
    """
    This daemon, as its sessions see it.

    @ivar name: the node's id, for the names of sessions.
    @ivar registry: holds the settings as they are now.
    @ivar clock: its seconds are unix seconds.
    """

    name: str
    registry: Registry
    upstream: IUpstream
    authenticate: Authenticate
    clock: IReactorTime

    @property
    def settings(self) -> ConnectSettings:
        return self.registry.settings

    @property
    def limits(self) -> LimitSettings:
        return self.registry.settings.limits
