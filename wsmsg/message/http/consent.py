"""
Blocks and invitations over HTTP, for services.

A service acts as the user whose block or answer it is, and invites as the owner of the
group, or as the user that it names in C{by}.
"""

from __future__ import annotations

from wsmsg.auth.scopes import Scope
from wsmsg.errors import BadRequest, NotFound
from wsmsg.events.block import BLOCK, block_of, decode_block, encode_block
from wsmsg.events.group_change import GROUP, GroupChange, encode_change
from wsmsg.events.invitation import DECLINE, INVITATION, encode_invitation
from wsmsg.events.kind import InvalidContent
from wsmsg.http.forms import Answer, Form, Id, parse_int, to_json_id
from wsmsg.http.routes import Argument, Call, Reply, Route
from wsmsg.message.ingress.interface import ISubmit, SendRequest
from wsmsg.message.queries.interface import IQueries
from wsmsg.message.store.interface import IGroups
from wsmsg.model import conversation_of, group_conversation, group_in

_PAGE = 100
_MOST = 1000


class BlockForm(Form):
    """
    A block to begin or to end.

    @ivar client_id: an id for the request, 1 to 64 bytes; a repeated request changes
        nothing.
    @ivar user: the user who is blocked; 0: it is a group.
    @ivar group: the group that is blocked; 0: it is a user.
    @ivar on: whether the block begins.
    """

    client_id: str
    user: Id = 0
    group: Id = 0
    on: bool = True


class ListedBlock(Answer):
    """
    A block.

    @ivar user: the user who is blocked; 0: it is a group.
    @ivar group: the group that is blocked; 0: it is a user.
    """

    user: Id
    group: Id
    time_ms: int


class BlockList(Answer):
    """
    Blocks of a user.

    @ivar next: the C{after} of the next page; null: there is none.
    """

    blocks: list[ListedBlock]
    next: str | None


class InvitationForm(Form):
    """
    An invitation.

    @ivar client_id: an id for the request, 1 to 64 bytes; a repeated request changes
        nothing.
    @ivar user: the user who is invited.
    @ivar by: the user who invites; 0: the owner.
    """

    client_id: str
    user: Id
    by: Id = 0


class InvitationAnswer(Form):
    """
    The answer to an invitation.

    @ivar client_id: an id for the request, 1 to 64 bytes; a repeated request changes
        nothing.
    @ivar accept: whether the user joins the group.
    """

    client_id: str
    accept: bool


class ListedInvitation(Answer):
    """
    An open invitation.

    @ivar by: the user who invited.
    @ivar expires_ms: when it ends.
    """

    group: str
    name: str
    by: Id
    time_ms: int
    expires_ms: int


class InvitationList(Answer):
    """
    Open invitations of a user.

    @ivar next: the C{after} of the next page; null: there is none.
    """

    invitations: list[ListedInvitation]
    next: str | None


class ConsentCalls:
    """
    The handlers.
    """

    def __init__(self, store: IGroups, submit: ISubmit, queries: IQueries) -> None:
        self._store = store
        self._submit = submit
        self._queries = queries

    def routes(self) -> list[Route]:
        """
        Return the routes to the handlers.
        """
        after = Argument("after", "C{next} of the page before.", number=False)
        paging = Argument("limit", f"At most {_MOST} entries; {_PAGE} by default.")
        done = {202: None, 204: None}
        return [
            Route(
                "GET users/{user}/blocks",
                self.blocks,
                {200: BlockList},
                scope=Scope.READ,
                query=[after, paging],
            ),
            Route(
                "POST users/{user}/blocks",
                self.block,
                done,
                body=BlockForm,
                scope=Scope.SEND,
            ),
            Route(
                "GET users/{user}/invitations",
                self.invitations,
                {200: InvitationList},
                scope=Scope.READ,
                query=[after, paging],
            ),
            Route(
                "POST users/{user}/invitations/{group}",
                self.answer,
                done,
                body=InvitationAnswer,
                scope=Scope.GROUPS,
            ),
            Route(
                "POST groups/{group}/invitations",
                self.invite,
                done,
                body=InvitationForm,
                scope=Scope.GROUPS,
            ),
        ]

    async def blocks(self, call: Call) -> Reply:
        """
        List the blocks of a user.
        """
        user, limit = call.id("user"), call.limit(_PAGE, _MOST)
        rows, more = await self._queries.blocks(user, call.text("after"), limit)
        some = []
        for row in rows:
            other, group = block_of(row.target)
            some.append(
                ListedBlock(
                    user=to_json_id(other),
                    group=str(group) if group else 0,
                    time_ms=row.time_ms,
                )
            )
        after = rows[-1].target if more else None
        return Reply(200, BlockList(blocks=some, next=after))

    async def block(self, call: Call) -> Reply:
        """
        Begin or end a block of a user.
        """
        user, form = call.id("user"), call.body_as(BlockForm)
        other = parse_int(form.user, "user") if form.user else 0
        group = parse_int(form.group, "group") if form.group else 0
        content = encode_block(other, group, form.on)
        try:
            decode_block(content)
        except InvalidContent as e:
            raise BadRequest(str(e)) from e
        if bool(other) and bool(group):
            raise BadRequest("a block names either a user or a group")
        call.concerns(target=f"user {other}" if other else f"group {group}", on=form.on)
        own = conversation_of(user, user)
        return await self._done(user, form.client_id, own, content, BLOCK)

    async def invitations(self, call: Call) -> Reply:
        """
        List the open invitations of a user.
        """
        user, limit = call.id("user"), call.limit(_PAGE, _MOST)
        rows, after = await self._queries.invitations(user, call.text("after"), limit)
        some = [
            ListedInvitation(
                group=str(group_in(row.conversation)),
                name=row.name,
                by=to_json_id(row.by),
                time_ms=row.time_ms,
                expires_ms=row.expires_ms,
            )
            for row in rows
        ]
        return Reply(200, InvitationList(invitations=some, next=after or None))

    async def invite(self, call: Call) -> Reply:
        """
        Invite a user to a group.
        """
        group, form = call.id("group"), call.body_as(InvitationForm)
        conversation = group_conversation(group)
        page = await self._store.group(conversation, 0, 0)
        if page is None:
            await self._queries.check_stored(conversation, 0)
            raise NotFound(f"there is no group {group}")
        by = parse_int(form.by, "by") if form.by else page.owner
        invited = parse_int(form.user, "user")
        call.concerns(by=by, invited=invited)
        pair = conversation_of(by, invited)
        content = encode_invitation(group)
        return await self._done(by, form.client_id, pair, content, INVITATION)

    async def answer(self, call: Call) -> Reply:
        """
        Accept or decline an invitation of a user.
        """
        user, group = call.id("user"), call.id("group")
        form = call.body_as(InvitationAnswer)
        call.concerns(accept=form.accept)
        if form.accept:
            content = encode_change(GroupChange(add=(user,)))
            name, kind = group_conversation(group), GROUP
        else:
            content = encode_invitation(group)
            name, kind = conversation_of(user, user), DECLINE
        return await self._done(user, form.client_id, name, content, kind)

    async def _done(
        self, user: int, client_id: str, conversation: str, content: str, kind: int
    ) -> Reply:
        request = SendRequest(0, user, client_id, conversation, content, kind)
        accepted = await self._submit.submit_and_wait(request)
        return Reply(204 if accepted.stored else 202)
