"""
Users over HTTP: their conversations, what they have not read, where they are, and
ending their sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wsmsg.errors import BadRequest, Forbidden
from wsmsg.http.forms import (
    Answer,
    Form,
    Id,
    parse_int,
    parse_page,
    parse_users,
    to_json_id,
)
from wsmsg.http.routes import Argument, Call, Reply, Route
from wsmsg.message.queries.interface import IQueries, check_group
from wsmsg.message.store.interface import IReaders
from wsmsg.model import ConversationHead, Cursor, InvalidName, is_group, members_of

_PAGE = 100
_ASKED = 1000
_ASKED_IN_BODY = 10_000
_NAME_BYTES = 256

#: (user, device or empty, reason) to how many Connects were told.
Kick = Callable[[int, str, str], int]


class ReadPosition(Answer):
    """
    How far somebody is.

    @ivar delivered: all up to this number is on a device of theirs.
    @ivar read: all up to this number was seen.
    """

    user: Id
    delivered: int
    read: int


class ConversationView(Answer):
    """
    A conversation of a user.

    @ivar head: the number of its last message.
    @ivar time_ms: when that was stored.
    @ivar delivered: up to where it is on a device of the user.
    @ivar read: up to where the user has seen all.
    @ivar unread: messages to the user that the user has not seen.
    @ivar others: in a conversation of two, how far the other one is.
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
    Some conversations of a user, as they changed, oldest change first.

    @ivar next: the C{after} of the next page; null: this is the last.
    """

    conversations: list[ConversationView]
    next: str | None


class UnreadCount(Answer):
    """
    A conversation in which something is unread.
    """

    conversation: str
    unread: int


class UnreadCounts(Answer):
    """
    What a user has not seen.

    @ivar total: messages in all conversations.
    @ivar next: the C{after} of the next page; null: this is the last.
    """

    total: int
    conversations: list[UnreadCount]
    next: str | None


class NewRead(Form):
    """
    How far a user has seen a conversation.

    @ivar seq: all up to this number.
    """

    conversation: str
    seq: Id


class ReadState(Answer):
    """
    How far a user is now.
    """

    conversation: str
    delivered: int
    read: int


class Asked(Form):
    """
    Of whom the presence is asked for.
    """

    users: list[Id]


class PresenceView(Answer):
    """
    Whether somebody is there.

    @ivar last_seen_ms: unix milliseconds; 0: never seen.
    """

    user: Id
    online: bool
    last_seen_ms: int


class PresenceList(Answer):
    """
    One for each that was asked for, in their order.
    """

    presence: list[PresenceView]


class SessionsEnded(Answer):
    """
    Sessions are being ended.

    @ivar connects: how many Connects were told; each ends those that it has.
    """

    connects: int


class UserCalls:
    """
    The calls below C{users/{user}}, and C{presence}.

    @param receipt: is told of cursors that rose.
    """

    def __init__(
        self,
        store: IReaders,
        queries: IQueries,
        *,
        receipt: Callable[[Cursor], object],
        kick: Kick,
    ) -> None:
        self._store = store
        self._queries = queries
        self._receipt = receipt
        self._kick = kick

    def routes(self) -> Sequence[Route]:
        """
        What is served.
        """
        paging = [
            Argument("after", "As next of the page before.", number=False),
            Argument("limit", "The most on a page; bounded by page."),
        ]
        users = Argument(
            "users",
            f"With commas between; at most {_ASKED}.",
            number=False,
            required=True,
        )
        reason = Argument("reason", "For the clients.", number=False)
        return [
            Route(
                "GET",
                "users/{user}/conversations",
                self.conversations,
                query=paging,
                responses={200: ConversationList},
            ),
            Route(
                "GET",
                "users/{user}/unread",
                self.unread,
                query=paging,
                responses={200: UnreadCounts},
            ),
            Route(
                "POST",
                "users/{user}/read",
                self.read,
                body=NewRead,
                responses={200: ReadState},
            ),
            Route(
                "DELETE",
                "users/{user}/sessions",
                self.end_all,
                query=[reason],
                responses={200: SessionsEnded},
            ),
            Route(
                "DELETE",
                "users/{user}/sessions/{device}",
                self.end_one,
                query=[reason],
                responses={200: SessionsEnded},
            ),
            Route(
                "GET",
                "presence",
                self.presence,
                query=[users],
                responses={200: PresenceList},
            ),
            Route(
                "POST",
                "presence",
                self.presence_of_many,
                body=Asked,
                responses={200: PresenceList},
            ),
        ]

    async def conversations(self, call: Call) -> Reply:
        """
        List the conversations of a user.
        """
        user = call.id("user")
        heads, last = await self._heads(call)
        unread = await self._counts(user, [h.conversation for h in heads])
        some = [
            ConversationView(
                conversation=h.conversation,
                head=h.head,
                time_ms=h.time_ms,
                delivered=h.delivered,
                read=h.read,
                unread=unread.get(h.conversation, 0),
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
        Count what a user has not seen, conversation by conversation.
        """
        user = call.id("user")
        heads, last = await self._heads(call)
        counts = await self._counts(user, [h.conversation for h in heads])
        _, total = await self._store.unread(user, 0, 1)
        some = [
            UnreadCount(conversation=name, unread=count)
            for name, count in counts.items()
            if count
        ]
        return Reply(200, UnreadCounts(total=total, conversations=some, next=last))

    async def read(self, call: Call) -> Reply:
        """
        Say how far a user has seen a conversation.
        """
        form, user = call.body_as(NewRead), call.id("user")
        seq = parse_int(form.seq, "seq")
        await self._check_member(user, form.conversation)
        cursor = Cursor(form.conversation, user, seq, seq)
        for risen in await self._store.move_cursors([cursor]):
            self._receipt(risen)
        key = (form.conversation, user)
        now = (await self._store.cursors([key])).get(key)
        state = ReadState(
            conversation=form.conversation,
            delivered=now.delivered if now else 0,
            read=now.read if now else 0,
        )
        return Reply(200, state)

    async def presence(self, call: Call) -> Reply:
        """
        Tell whether users are there.
        """
        given = [u.strip() for u in call.text("users").split(",", _ASKED + 1)]
        return await self._presence(parse_users(given, _ASKED))

    async def presence_of_many(self, call: Call) -> Reply:
        """
        Tell whether users are there, for more than fit into a URL.
        """
        return await self._presence(
            parse_users(call.body_as(Asked).users, _ASKED_IN_BODY)
        )

    async def end_all(self, call: Call) -> Reply:
        """
        End all sessions of a user.
        """
        return self._end(call, "")

    async def end_one(self, call: Call) -> Reply:
        """
        End the session of one device of a user.
        """
        device = call.path["device"]
        if not device:
            raise BadRequest("a device has a name")
        return self._end(call, device)

    def _end(self, call: Call, device: str) -> Reply:
        reason = call.text("reason") or "ended by a service"
        for name, text in (("reason", reason), ("device", device)):
            if len(text.encode("utf-8", "surrogatepass")) > _NAME_BYTES:
                raise BadRequest(f"{name} is over {_NAME_BYTES} bytes")
        return Reply(
            200, SessionsEnded(connects=self._kick(call.id("user"), device, reason))
        )

    async def _presence(self, users: Sequence[int]) -> Reply:
        known = [
            PresenceView(
                user=to_json_id(p.user), online=p.online, last_seen_ms=p.last_seen_ms
            )
            for p in await self._queries.presence(users)
        ]
        return Reply(200, PresenceList(presence=known))

    async def _heads(self, call: Call) -> tuple[Sequence[ConversationHead], str | None]:
        since_ms, after = parse_page(call.text("after"))
        limit = call.limit(_PAGE, self._queries.page_limit)
        page = await self._queries.heads(call.id("user"), since_ms, after, limit)
        heads = page.heads
        last = f"{heads[-1].time_ms}:{heads[-1].conversation}" if heads else None
        return heads, last if page.more else None

    async def _counts(self, user: int, names: Sequence[str]) -> dict[str, int]:
        return await self._store.unread_counts(user, names) if names else {}

    async def _check_member(self, user: int, conversation: str) -> None:
        if is_group(conversation):
            key = (check_group(conversation), user)
            member = key in await self._store.readable_from([key])
        else:
            try:
                member = user in members_of(conversation)
            except InvalidName as e:
                raise BadRequest(str(e)) from e
        if not member:
            raise Forbidden(f"{user} is not in {conversation}")
