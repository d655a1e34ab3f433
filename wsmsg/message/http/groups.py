"""
Groups over HTTP, for services.

A service acts as the owner of the group, or as the user that it names in C{by}, with
the rights of that user.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import msgspec

from wsmsg.auth.scopes import Scope
from wsmsg.dependency.gather import gather
from wsmsg.errors import BadRequest, Conflict, NotFound
from wsmsg.events.group_change import GROUP, GroupChange, change_problem, encode_change
from wsmsg.http.forms import Answer, Form, Id, parse_int, to_json_id
from wsmsg.http.routes import Argument, Call, Reply, Route
from wsmsg.message.ingress.interface import ISubmit, SendRequest
from wsmsg.message.queries.interface import IQueries
from wsmsg.message.store.interface import GroupPage, IConversations, checked_position
from wsmsg.model import group_conversation, group_in, is_group

_PAGE = 100
_MOST = 1000


class NewGroup(Form):
    """
    A group to create.

    @ivar client_id: an id that the owner chooses for the request, 1 to 64 bytes; a
        repeated request creates no second group.
    @ivar name: 1 to 256 bytes without control characters.
    @ivar members: at most 1000 users.
    @ivar history: whether members that join later may read all earlier messages.
    @ivar key: the application's own id of the group, which no other group has: 1 to
        128 bytes; only with C{users.names}.
    """

    client_id: str
    owner: Id
    name: str
    members: list[Id] = []
    history: bool = False
    key: str = ""


class NewMembers(Form):
    """
    Members to add to a group.

    @ivar client_id: an id for the request, 1 to 64 bytes; a repeated request changes
        nothing.
    @ivar users: at most 1000 users.
    @ivar by: the user who adds them; 0: the owner.
    """

    client_id: str
    users: list[Id]
    by: Id = 0


class GroupDetails(Answer, kw_only=True):
    """
    A group, without its members.

    @ivar group: the number of the group.
    @ivar count: the number of its members.
    @ivar key: the application's own id of the group; left out: it has none.
    """

    group: str
    conversation: str
    name: str
    owner: Id
    history: bool
    count: int
    key: str | msgspec.UnsetType = msgspec.UNSET


class ListedGroup(GroupDetails, kw_only=True):
    """
    A group in a list.

    @ivar head: the seq of its last message.
    @ivar time_ms: the time of that message, in unix milliseconds.
    """

    head: int
    time_ms: int


class GroupList(Answer):
    """
    A page of the groups of a user.

    @ivar next: the C{after} of the next page; null on the last page.
    """

    groups: list[ListedGroup]
    next: str | None


class GroupMember(Answer):
    """
    A member of a group.

    @ivar joined: the seq of the message that added the member.
    """

    user: Id
    joined: int


class GroupMemberList(Answer):
    """
    A page of the members of a group, by user.

    @ivar count: the number of all members.
    @ivar next: the C{after} of the next page; null on the last page.
    """

    count: int
    members: list[GroupMember]
    next: Id | None


_PAGING = Argument("limit", "The size of the page; at most 1000.")


class GroupCalls:
    """
    The calls below C{groups} and C{users/{user}/groups}.

    @param keys: whether a group may have a key.
    """

    def __init__(
        self,
        store: IConversations,
        submit: ISubmit,
        queries: IQueries,
        *,
        keys: bool = False,
    ) -> None:
        self._keys = keys
        self._store = store
        self._submit = submit
        self._queries = queries

    def routes(self) -> Sequence[Route]:
        """
        Return the routes.
        """
        group: dict[int, type[msgspec.Struct] | None] = {
            200: GroupDetails,
            202: GroupDetails,
        }
        after = Argument("after", "Return members with ids above this.")
        onwards = Argument("after", "The C{next} of the previous page.", number=False)
        by = Argument("by", "The user who removes the member; by default the owner.")
        once = Argument(
            "client_id", "A repeated request changes nothing.", number=False
        )
        return [
            Route(
                "POST groups",
                self.create,
                {201: GroupDetails, **group},
                body=NewGroup,
                scope=Scope.GROUPS,
            ),
            Route(
                "GET groups/{group}",
                self.show,
                {200: GroupDetails},
                scope=Scope.READ,
            ),
            Route(
                "GET groups/{group}/members",
                self.members,
                {200: GroupMemberList},
                scope=Scope.READ,
                query=[after, _PAGING],
            ),
            Route(
                "POST groups/{group}/members",
                self.add,
                group,
                body=NewMembers,
                scope=Scope.GROUPS,
            ),
            Route(
                "DELETE groups/{group}/members/{user}",
                self.remove,
                {202: None, 204: None},
                scope=Scope.GROUPS,
                query=[by, once],
            ),
            Route(
                "GET users/{user}/groups",
                self.groups_of,
                {200: GroupList},
                scope=Scope.READ,
                query=[onwards, _PAGING],
            ),
        ]

    async def create(self, call: Call) -> Reply:
        """
        Create a group.
        """
        form = call.body_as(NewGroup)
        owner = parse_int(form.owner, "owner")
        members = dict.fromkeys((owner, *_users(form.members)))
        if form.key and not self._keys:
            raise BadRequest("groups have no keys here: users.names is false")
        change = GroupChange(
            True, form.name, form.history, tuple(members), key=form.key
        )
        _check(form.client_id, change)
        group = change.number(owner, form.client_id)
        call.concerns(group=group, owner=owner, members=len(members))
        status = await self._submit_change(group, owner, form.client_id, change, 201)
        page = GroupPage(
            group_conversation(group),
            form.name,
            owner,
            form.history,
            len(members),
            [],
            key=form.key,
        )
        if status == 200 or (form.key and status == 201):
            page = await self._page(group)
            if page.owner != owner:
                raise Conflict("another request created the group with this key")
        return Reply(status, _document(page))

    async def show(self, call: Call) -> Reply:
        """
        Show a group, without its members.
        """
        return Reply(200, _document(await self._page(call.id("group"))))

    async def members(self, call: Call) -> Reply:
        """
        List the members of a group, by their ids.
        """
        after, limit = call.number("after", 0), call.limit(_PAGE, _MOST)
        page = await self._page(call.id("group"), after, limit)
        some = [
            GroupMember(user=to_json_id(m.user), joined=m.joined) for m in page.members
        ]
        last = some[-1].user if len(some) == limit else None
        return Reply(200, GroupMemberList(count=page.count, members=some, next=last))

    async def add(self, call: Call) -> Reply:
        """
        Add members to a group.
        """
        form = call.body_as(NewMembers)
        call.concerns(users=",".join(map(str, form.users)))
        page = await self._page(call.id("group"))
        change = GroupChange(add=tuple(dict.fromkeys(_users(form.users))))
        _check(form.client_id, change)
        group = group_in(page.conversation)
        by = parse_int(form.by, "by") if form.by else page.owner
        status = await self._submit_change(group, by, form.client_id, change, 200)
        return Reply(status, _document(await self._page(group)))

    async def remove(self, call: Call) -> Reply:
        """
        Remove a member from a group.  If C{by} is the member, the member leaves.
        """
        group, user = call.id("group"), call.id("user")
        page = await self._page(group, user - 1, 1)
        by = call.number("by", page.owner)
        client_id = call.text("client_id")
        if not client_id:
            if not page.members or page.members[0].user != user:
                return Reply(204)  # the user is not a member anyway
            client_id = uuid.uuid4().hex
        change = GroupChange(remove=(user,))
        _check(client_id, change)
        status = await self._submit_change(group, by, client_id, change, 204)
        return Reply(204 if status == 200 else status)

    async def groups_of(self, call: Call) -> Reply:
        """
        List the groups of a user.
        """
        user, limit = call.id("user"), call.limit(_PAGE, _MOST)
        after = checked_position(call.text("after"))
        found = await self._store.conversations_of(user, after, limit)
        groups = [row for row in found.rows if is_group(row.conversation)]
        pages = await gather(
            self._store.group(row.conversation, 0, 0) for row in groups
        )
        some = [
            ListedGroup(
                **msgspec.structs.asdict(_document(page)),
                head=row.head,
                time_ms=row.time_ms,
            )
            for row, page in zip(groups, pages, strict=True)
            if page is not None
        ]
        return Reply(
            200, GroupList(groups=some, next=found.position if found.more else None)
        )

    async def _submit_change(
        self, group: int, by: int, client_id: str, change: GroupChange, status: int
    ) -> int:
        # 200: an earlier request did the same; 202: accepted, but not yet in effect.
        request = SendRequest(
            0, by, client_id, group_conversation(group), encode_change(change), GROUP
        )
        accepted = await self._submit.submit_and_wait(request)
        if accepted.again:
            return 200
        return status if accepted.stored else 202

    async def _page(self, group: int, after: int = 0, limit: int = 0) -> GroupPage:
        conversation = group_conversation(group)
        page = await self._store.group(conversation, after, limit)
        if page is None:
            await self._queries.check_stored(conversation, 0)
            raise NotFound(f"there is no group {group}")
        return page


def _document(page: GroupPage) -> GroupDetails:
    return GroupDetails(
        group=str(group_in(page.conversation)),
        conversation=page.conversation,
        name=page.name,
        owner=to_json_id(page.owner),
        history=page.history,
        count=page.count,
        key=page.key or msgspec.UNSET,
    )


def _check(client_id: str, change: GroupChange) -> None:
    if not 1 <= len(client_id.encode("utf-8", "surrogatepass")) <= 64:
        raise BadRequest("client_id must have 1 to 64 bytes")
    problem = change_problem(change)
    if problem:
        raise BadRequest(problem)


def _users(given: Sequence[Id]) -> list[int]:
    return [parse_int(user, "a user") for user in given]
