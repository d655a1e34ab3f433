"""
From a session's hello to its welcome, and what the welcome could not have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.logger import Logger

from wsmsg.auth.identity import Identity
from wsmsg.connect.session.requests import heads_of
from wsmsg.errors import Unauthenticated, WsmsgError
from wsmsg.protocol.frames import Head, Hello, Limits, Welcome

if TYPE_CHECKING:
    from wsmsg.connect.session.context import SessionContext
    from wsmsg.connect.session.session import Session

_log = Logger()


def identify(
    node: SessionContext,
    hello: Hello,
    proved: Identity | None,
    claimed_user: int | None,
) -> Identity:
    """
    Who the client is, by the token of the headers, of hello, or of both.

    @raise WsmsgError: mostly C{Unauthenticated}.
    """
    if not hello.token:
        if proved is None:
            raise Unauthenticated("neither the headers nor hello have a token")
        return proved
    identity = node.authenticate(hello.token, claimed_user)
    if proved is not None and proved.user != identity.user:
        raise Unauthenticated("the tokens of the headers and of hello differ")
    return identity


async def welcome(session: Session, since_ms: int) -> Welcome:
    """
    What the session is told first.

    The order matters: once the streams know the user, what is not in the heads that
    are read afterwards is pushed.
    """
    upstream = session.node.upstream
    heads: tuple[Head, ...] = ()
    more = synced = False
    try:
        came = await upstream.user_joined(session.user)
        if upstream.unnumbered:
            synced = True  # there is nothing that could be read
        elif came and not session.closed:
            limit = session.limits.page
            rows, more = await upstream.reads.heads(session.user, since_ms, limit)
            heads, synced = heads_of(rows), True
    except WsmsgError as e:
        _log.warn(
            "session {session} of {user} begins without its conversations: {reason}",
            session=session.name,
            user=session.user,
            reason=e.reason,
        )
    return _welcome(session, heads, more, synced=synced)


def _welcome(
    session: Session, heads: tuple[Head, ...], more: bool, *, synced: bool
) -> Welcome:
    limits = session.limits
    return Welcome(
        user=session.user,
        session=session.name,
        heartbeat_s=session.node.settings.heartbeat_s,
        limits=Limits(
            content_bytes=limits.content_bytes,
            frame_bytes=limits.frame_bytes,
            window=limits.window,
            sends_per_s=limits.sends_per_s,
            page=limits.page,
            watch=limits.watch,
            unnumbered=session.node.upstream.unnumbered,
        ),
        time=int(session.node.clock.seconds() * 1000),
        heads=heads,
        more=more,
        synced=synced,
    )


async def recheck(session: Session) -> None:
    """
    The welcome was without conversations: have the session told to ask for them as
    soon as they can be had.
    """
    node = session.node
    try:
        there = node.upstream.up and await node.upstream.user_joined(session.user)
    except WsmsgError:
        there = False
    if session.closed or node.upstream.unnumbered:
        return
    due = node.registry.due
    if there:
        reason = "the conversations can be read now"
        due.resync([session], reason, node.settings.resync_spread_s)
    else:
        due.unsynced(session)
