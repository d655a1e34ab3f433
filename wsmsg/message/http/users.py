"""
Users over HTTP: their conversations, unread counts and sessions.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence

from wsmsg.auth.scopes import Scope
from wsmsg.errors import BadRequest, Forbidden
from wsmsg.http.forms import (
    Answer,
    Form,
    Id,
    parse_int,
    to_json_id,
)
from wsmsg.http.routes import Argument, Call, Reply, Route
from wsmsg.message.queries.interface import IQueries, check_group
from wsmsg.message.store.interface import IReaders, checked_position
from wsmsg.model import ConversationHead, Cursor, InvalidName, is_group, members_of

_PAGE = 100
_NAME_BYTES = 256
# A total has fewer.
_DIGITS = 19

#: Ends sessions: L{wsmsg.message.links.interface.ILinks.kick}.
Kick = Callable[[int, str, str], int]


#: Revokes tokens: L{wsmsg.message.revoked_tokens.RevokedTokens.revoke}.
Revoke = Callable[[int, int], Awaitable[tuple[int, int]]]

#: The least time that is given in milliseconds; as seconds, it is in the year 5138.
_LEAST_MS = 10**11


class ReadPosition(Answer):
    """
    The position of a user in a conversation.

    @ivar delivered: the seq up to which all messages are on a device of the user.
    @ivar read: the seq up to which the user has read.
    """

    user: Id
    delivered: int
    read: int


class ConversationView(Answer):
    """
    A conversation of a user.

    @ivar head: the seq of its last message.
    @ivar time_ms: the time at which that message was stored, in unix milliseconds.
    @ivar delivered: the seq up to which all messages are on a device of the user.
    @ivar read: the seq up to which the user has read.
    @ivar unread: the number of unread messages to the user.
    @ivar others: in a conversation of two users, the position of the other one.
    """

    conversation: str
    head: int
    time_ms: int
    delivered: int
    read: int
    unread: int
    others: list[ReadPosition]


class ConversationList(Answer):
    """
    A page of the conversations of a user; the least recently changed come first.

    @ivar next: the C{after} of the next page; null on the last page.
    """

    conversations: list[ConversationView]
    next: str | None


class UnreadCount(Answer):
    """
    A conversation with unread messages.

    @ivar unread: the number of unread messages.
    """

    conversation: str
    unread: int


class UnreadCounts(Answer):
    """
    A page of the unread counts of a user.

    @ivar total: the number of unread messages in all conversations; null if C{total} is
        0 in the request.
    @ivar next: the C{after} of the next page; null on the last page.
    """

    total: int | None
    conversations: list[UnreadCount]
    next: str | None


class NewRead(Form):
    """
    A read position to set.

    @ivar seq: the seq up to which the user has read.
    """

    conversation: str
    seq: Id


class ReadState(Answer):
    """
    The position of a user in a conversation, after a request to set it.

    @ivar delivered: the seq up to which all messages are on a device of the user.
    @ivar read: the seq up to which the user has read.
    """

    conversation: str
    delivered: int
    read: int


class SessionsEnded(Answer):
    """
    The result of a request to end sessions.

    @ivar connects: the number of Connects that were told; each ends the sessions that
        it has.
    """

    connects: int


class TokensRevoked(Answer):
    """
    The revoked tokens of a user.

    @ivar before_ms: tokens that were issued before this time are revoked, in unix
        milliseconds.
    @ivar connects: the number of Connects that were told at once; the others learn it
        when their streams are open.
    """

    before_ms: int
    connects: int


class UserCalls:
    """
    The calls below C{users/{user}}.

    @param receipt: called with each cursor that moved.
    @param kick: ends sessions.
    @param revoke: revokes tokens.
    @param unix_s: returns the unix time.
    """

    def __init__(
        self,
        store: IReaders,
        queries: IQueries,
        *,
        receipt: Callable[[Cursor], object],
        kick: Kick,
        revoke: Revoke,
        unix_s: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._queries = queries
        self._receipt = receipt
        self._kick = kick
        self._revoke = revoke
        self._unix_s = unix_s

    def routes(self) -> Sequence[Route]:
        """
        Return the routes.
        """
        paging = [
            Argument("after", "The next of the previous page.", number=False),
            Argument("limit", "The size of the page, bounded by page."),
        ]
        total = Argument("total", "0: do not count the messages on all pages.")
        reason = Argument("reason", "The reason that clients see.", number=False)
        revoke = Argument(
            "revoke",
            "With true, all tokens of the user that exist are revoked, too.",
            number=False,
        )
        before = Argument(
            "before",
            "Unix seconds, as iat has them, or milliseconds; missing: now.",
        )
        return [
            Route(
                "GET users/{user}/conversations",
                self.conversations,
                {200: ConversationList},
                scope=Scope.READ,
                query=paging,
            ),
            Route(
                "GET users/{user}/unread",
                self.unread,
                {200: UnreadCounts},
                scope=Scope.READ,
                query=[*paging, total],
            ),
            Route(
                "POST users/{user}/read",
                self.read,
                {200: ReadState},
                body=NewRead,
                scope=Scope.MARK,
            ),
            Route(
                "DELETE users/{user}/sessions",
                self.end_sessions,
                {200: SessionsEnded},
                scope=Scope.KICK,
                query=[reason, revoke],
            ),
            Route(
                "DELETE users/{user}/tokens",
                self.revoke_tokens,
                {200: TokensRevoked},
                scope=Scope.KICK,
                query=[before],
            ),
            Route(
                "DELETE users/{user}/sessions/{device}",
                self.end_session,
                {200: SessionsEnded},
                scope=Scope.KICK,
                query=[reason],
            ),
        ]

    async def conversations(self, call: Call) -> Reply:
        """
        List the conversations of a user.
        """
        heads, last = await self._heads(call, call.text("after"))
        some = [
            ConversationView(
                conversation=h.conversation,
                head=h.head,
                time_ms=h.time_ms,
                delivered=h.delivered,
                read=h.read,
                unread=h.unread,
                others=[
                    ReadPosition(
                        user=to_json_id(o.user), delivered=o.delivered, read=o.read
                    )
                    for o in h.others
                ],
            )
            for h in heads
        ]
        return Reply(200, ConversationList(conversations=some, next=last))

    async def unread(self, call: Call) -> Reply:
        """
        Count the unread messages of a user, for each conversation.
        """
        user = call.id("user")
        known, after = _counted(call.text("after"))
        heads, last = await self._heads(call, after)
        total = known
        if known is None and call.number("total", 1):
            total = await self._queries.unread_total(user)
        some = [
            UnreadCount(conversation=h.conversation, unread=h.unread)
            for h in heads
            if h.unread
        ]
        # The next page need not count again.
        further = last if last is None or total is None else f"{total}.{last}"
        return Reply(200, UnreadCounts(total=total, conversations=some, next=further))

    async def read(self, call: Call) -> Reply:
        """
        Set the position up to which a user has read a conversation.
        """
        form, user = call.body_as(NewRead), call.id("user")
        seq = parse_int(form.seq, "seq")
        call.concerns(conversation=form.conversation, seq=seq)
        await self._check_member(user, form.conversation)
        cursor = Cursor(form.conversation, user, seq, seq)
        for moved in await self._store.move_cursors([cursor]):
            self._receipt(moved)
        key = (form.conversation, user)
        now = (await self._store.cursors([key])).get(key)
        state = ReadState(
            conversation=form.conversation,
            delivered=now.delivered if now else 0,
            read=now.read if now else 0,
        )
        return Reply(200, state)

    async def end_sessions(self, call: Call) -> Reply:
        """
        End all sessions of a user.
        """
        revoke = call.text("revoke")
        if revoke not in ("", "true", "false"):
            raise BadRequest("revoke is neither true nor false")
        user, reason = call.id("user"), _reason(call, "")
        if revoke == "true":
            call.concerns(revoke=True)
            # First, or the client is back before its token is revoked.
            await self._revoke(user, self._now_ms())
        return Reply(200, SessionsEnded(connects=self._kick(user, "", reason)))

    async def revoke_tokens(self, call: Call) -> Reply:
        """
        Revoke the tokens of a user that were issued before a time, and end the sessions
        with such tokens.
        """
        before = call.number("before", 0)
        if before and before < _LEAST_MS:
            before *= 1000
        user, before_ms = call.id("user"), before or self._now_ms()
        call.concerns(before_ms=before_ms)
        now_ms, connects = await self._revoke(user, before_ms)
        return Reply(200, TokensRevoked(before_ms=now_ms, connects=connects))

    def _now_ms(self) -> int:
        return int(self._unix_s() * 1000)

    async def end_session(self, call: Call) -> Reply:
        """
        End the session of a device of a user.
        """
        device = call.path["device"]
        if not device:
            raise BadRequest("the name of the device is empty")
        user, reason = call.id("user"), _reason(call, device)
        return Reply(200, SessionsEnded(connects=self._kick(user, device, reason)))

    async def _heads(
        self, call: Call, after: str
    ) -> tuple[Sequence[ConversationHead], str | None]:
        limit = call.limit(_PAGE, self._queries.page_limit)
        page = await self._queries.heads(
            call.id("user"), checked_position(after), limit, continued=True
        )
        return page.heads, page.position if page.more else None

    async def _check_member(self, user: int, conversation: str) -> None:
        if is_group(conversation):
            key = (check_group(conversation), user)
            member = key in await self._store.readable_from([key])
            if not member:
                await self._queries.check_stored(conversation, user)
        else:
            try:
                member = user in members_of(conversation)
            except InvalidName as e:
                raise BadRequest(str(e)) from e
        if not member:
            raise Forbidden(f"user {user} is not in {conversation}")


def _reason(call: Call, device: str) -> str:
    """
    Return the reason that clients see.

    @raise BadRequest: it, or the name of the device, is too long.
    """
    reason = call.text("reason") or "ended by a service"
    for name, text in (("reason", reason), ("device", device)):
        if len(text.encode("utf-8", "surrogatepass")) > _NAME_BYTES:
            raise BadRequest(f"{name} is over {_NAME_BYTES} bytes")
    return reason


def _counted(after: str) -> tuple[int | None, str]:
    """
    Divide the C{next} of a page of unread counts: the total, if it has one, and the
    position.
    """
    total, dot, position = after.rpartition(".")
    if dot and total.isdecimal() and len(total) < _DIGITS and position:
        return int(total), position
    return None, after
