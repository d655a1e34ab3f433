"""
What all sessions of a node share.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs
from twisted.internet.interfaces import IReactorTime

from wsmsg.auth.identity import Authenticate
from wsmsg.connect.upstream.interface import IUpstream
from wsmsg.settings.values import ConnectSettings, LimitSettings

if TYPE_CHECKING:
    from wsmsg.connect.session.registry import Registry


@attrs.define(kw_only=True)
class SessionCounters:
    """
    All only rise.

    @ivar frames: frames that clients sent.
    @ivar bad_frames: those that could not be understood.
    @ivar sends: those that asked for a message to be accepted.
    @ivar accepted: sends that were.
    @ivar rejected: sends that were not, by code.
    @ivar pushed: messages given to a session.
    @ivar repeats: pushes that a session had had already.
    @ivar absent: pushes for a user who is not here (any more).
    @ivar shed: typing and presence frames that a slow client did not get.
    @ivar demoted: how often a client was too slow for pushes.
    @ivar resyncs: how often a client was told to ask again.
    @ivar limited: how often a client was not read because of its rate.
    @ivar welcomed: sessions that became known.
    @ivar closes: closes by us, by name of the code.
    @ivar legacy_skipped: what deployed clients sent and nothing follows from.
    @ivar legacy_again: how often what they sent was refused for a moment and is
        given again.
    @ivar legacy_given_up: messages of theirs that were refused for too long.
    @ivar legacy_missed: messages that could not be read for them.
    """

    frames: int = 0
    bad_frames: int = 0
    sends: int = 0
    accepted: int = 0
    rejected: Counter[str] = attrs.Factory(Counter)
    pushed: int = 0
    repeats: int = 0
    absent: int = 0
    shed: int = 0
    demoted: int = 0
    resyncs: int = 0
    limited: int = 0
    welcomed: int = 0
    closes: Counter[str] = attrs.Factory(Counter)
    legacy_skipped: int = 0
    legacy_again: int = 0
    legacy_given_up: int = 0
    legacy_missed: int = 0


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
