"""
Login of a session: from hello to the welcome, and the recheck of a welcome without
conversations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.logger import Logger

from wsmsg.auth.identity import Identity
from wsmsg.connect.session.requests import to_heads
from wsmsg.connect.session.sends import NO_NAMES
from wsmsg.connect.upstream.interface import HeadsView, Login
from wsmsg.errors import Unauthenticated, Unsupported, WsmsgError
from wsmsg.protocol.frames import Hello, Limits, Welcome

if TYPE_CHECKING:
    from wsmsg.connect.session.context import SessionContext
    from wsmsg.connect.session.session import Session

_log = Logger()


def authenticate(
    context: SessionContext,
    hello: Hello,
    proved: Identity | None,
    claimed_user: int | None,
) -> Identity:
    """
    Return the identity that the token of the headers, of hello, or of both proves.

    @param proved: the identity that the token of the headers proves, if there is one.
    @raise WsmsgError: mostly C{Unauthenticated}.
    """
    if not hello.token:
        if proved is None:
            reason = "neither the headers nor hello have a token"
            raise Unauthenticated(reason, fault="missing")
        return proved
    identity = context.authenticate(hello.token, claimed_user)
    if proved is not None and (proved.user, proved.name) != (
        identity.user,
        identity.name,
    ):
        reason = "the tokens of the headers and of hello differ"
        raise Unauthenticated(reason, fault="other_user")
    return identity


async def numbered(session: Session, identity: Identity) -> Identity:
    """
    Return an identity with the number of its name.

    @raise WsmsgError: Message cannot be asked, or users have no names here.
    """
    if identity.user:
        return identity
    context = session.context
    if context.names is None:
        raise Unsupported(NO_NAMES)
    context.registry.timers.checking(session, 3 * context.settings.query_timeout_s)
    return identity._replace(user=await context.names.claim(identity.name))


async def make_welcome(session: Session, position: str, witness: str) -> Welcome:
    """
    Read the user's conversations and return the welcome with them.

    The order matters: once the streams have the user, everything that is not in the
    heads that are read afterwards is pushed.
    """
    upstream = session.context.upstream
    found = HeadsView((), False, "", "")
    synced = False
    try:
        joined = await upstream.user_joined(session.user, _login_of(session))
        if upstream.unnumbered:
            synced = True  # There is nothing that could be read.
        elif joined and not session.closed:
            limit = session.limits.page
            found = await upstream.reads.heads(
                session.user, position, limit, continued=False, witness=witness
            )
            synced = True
    except WsmsgError as e:
        if session.context.lines.allow(session.user):
            _log.warn(
                "session {session} of {user} starts without its conversations: "
                "{reason}",
                session=session.name,
                user=session.user,
                reason=e.reason,
            )
    return _welcome(session, found, synced=synced)


def _login_of(session: Session) -> Login | None:
    if not session.names_device:
        return None
    return Login(session.device, session.numbered)


def _welcome(session: Session, found: HeadsView, *, synced: bool) -> Welcome:
    limits = session.limits
    return Welcome(
        user=session.user,
        session=session.name,
        heartbeat_s=session.context.settings.heartbeat_s,
        limits=Limits(
            content_bytes=limits.content_bytes,
            frame_bytes=limits.frame_bytes,
            window=limits.window,
            sends_per_s=limits.sends_per_s,
            page=limits.page,
            watch=limits.watch,
            unnumbered=session.context.upstream.unnumbered,
        ),
        time=int(session.context.unix_s() * 1000),
        heads=to_heads(found.heads),
        more=found.more,
        synced=synced,
        position=found.position,
        epoch=found.epoch,
        expires=session.identity.expires_ms if session.identity else 0,
    )


async def recheck(session: Session) -> None:
    """
    Tell a client that was welcomed without its conversations to sync, once they can
    be read; until then, set the timer again.
    """
    context, upstream = session.context, session.context.upstream
    try:
        synced = upstream.up and await upstream.user_joined(session.user)
    except WsmsgError:
        synced = False
    if session.closed or upstream.unnumbered:
        return
    timers = context.registry.timers
    if synced:
        reason = "the conversations can be read now"
        timers.resync([session], reason, context.settings.resync_spread_s)
    else:
        timers.unsynced(session)
