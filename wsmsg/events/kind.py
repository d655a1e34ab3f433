"""
A row of the table of event kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import attrs

from wsmsg.model import Message


class InvalidContent(ValueError):
    """
    The content of an event is not what its kind requires; the text says why.
    """


class NewEvent(NamedTuple):
    """
    An event that a client asks for.

    @ivar created: the conversation of the group that the event creates; empty: none.
    """

    conversation: str
    content: str
    created: str = ""


class EventRequest(Protocol):
    """
    The parts of a send request that an event is validated and judged by.
    """

    @property
    def sender(self) -> int: ...
    @property
    def client_id(self) -> str: ...
    @property
    def conversation(self) -> str: ...
    @property
    def content(self) -> str: ...
    @property
    def connect(self) -> str: ...


class Questions(NamedTuple):
    """
    The facts besides those of the conversation that the judgement of an event needs.
    Groups are named by their conversations.

    @ivar group: a group whose owner is asked for; empty: none.
    @ivar members: pairs of a group and a user: whether the user is a member.
    @ivar blocks_of: the user whose blocks are counted; 0: none.
    @ivar blocked: pairs of a user and a target: whether the user has blocked it.
    @ivar invited: pairs of a user and a group: whether the user is invited.
    @ivar invitations_of: the user whose open invitations are counted; 0: none.
    """

    group: str = ""
    members: tuple[tuple[str, int], ...] = ()
    blocks_of: int = 0
    blocked: tuple[tuple[int, str], ...] = ()
    invited: tuple[tuple[int, str], ...] = ()
    invitations_of: int = 0


class MemberChange(Protocol):
    """
    The members that an event adds to its group and removes from it.
    """

    @property
    def created(self) -> bool: ...
    @property
    def add(self) -> tuple[int, ...]: ...
    @property
    def remove(self) -> tuple[int, ...]: ...


class Facts(Protocol):
    """
    The facts that Message knows about the groups and messages of events.
    """

    @property
    def now_ms(self) -> int:
        """The time of the judgement, in unix milliseconds."""

    @property
    def recall_s(self) -> float:
        """The time after sending in which a message can be recalled, in seconds."""

    @property
    def most_blocks(self) -> int:
        """The most blocks of a user."""

    @property
    def most_invitations(self) -> int:
        """The most open invitations of a user."""

    @property
    def invites_only(self) -> bool:
        """True if clients may only invite users to groups, and not add them."""

    def owner(self, conversation: str) -> int | None:
        """
        Return the owner of a group, if there is such a group.  Known only for events
        whose kind has C{needs_group} or asks for it.
        """

    def is_member(self, conversation: str, user: int) -> bool:
        """
        Return whether a user is a member of a group, as asked for.
        """

    def blocks(self, user: int) -> int:
        """
        Return the number of blocks of a user, as asked for.
        """

    def is_blocked(self, user: int, target: str) -> bool:
        """
        Return whether a user has blocked a target, as asked for.
        """

    def is_invited(self, user: int, group: str) -> bool:
        """
        Return whether a user has an open invitation to a group, as asked for.
        """

    def invitations(self, user: int) -> int:
        """
        Return the number of open invitations of a user, as asked for.
        """

    def message(self, conversation: str, seq: int) -> Message | None:
        """
        Return the message that an event refers to, as its kind's C{target} says.
        """

    def check_member(self, conversation: str, user: int) -> None:
        """
        @raise Forbidden: the user is not a member of the group.
        """

    def check_size(self, conversation: str, added: frozenset[int]) -> None:
        """
        Reserve room in a group for new members.

        @raise TooLarge: the group would have more members than the limit.
        """


def _no_target(content: str) -> int:
    return 0


def _no_problem(conversation: str, content: str) -> str:
    return ""


def _no_questions(request: EventRequest) -> Questions:
    return Questions()


def _unchanged(content: str) -> str:
    return content


@attrs.frozen(kw_only=True)
class EventKind:
    """
    One kind of event: how clients ask for it, and what Message checks.

    @ivar kind: the number of the kind, from L{wsmsg.model.FIRST_EVENT} up.
    @ivar name: its name, for reasons and logs.
    @ivar frames: the client frames that ask for such an event, each with a function of
        the frame and its user that returns the event, or raises a
        L{wsmsg.errors.WsmsgError}.
    @ivar validate: raises a L{wsmsg.errors.WsmsgError}, L{InvalidContent} or
        L{wsmsg.model.InvalidName} if a request is wrong in itself.
    @ivar judge: raises a L{wsmsg.errors.WsmsgError} if the facts forbid a request.
    @ivar content_bytes: the longest content.  0: C{validate} checks the conversation
        and the content by itself; otherwise they are checked before, as those of an
        ordinary message.
    @ivar members_only: in a group, only members may ask for it.
    @ivar needs_group: C{judge} needs the owner and the members of the group.
    @ivar target: the seq of the message that a content refers to; 0: none.  C{judge}
        finds that message in the facts.
    @ivar questions: the facts that C{judge} needs besides those of the conversation.
    @ivar record_problem: what is wrong with a journal record of this kind, by its
        conversation and content; empty: nothing.
    @ivar member_change: the change of membership that a content makes, for kinds that
        change membership; raises L{InvalidContent}.
    @ivar shown: the content as clients receive it, whatever is stored.
    """

    kind: int
    name: str
    frames: Mapping[type[Any], Callable[[Any, int], NewEvent]]
    validate: Callable[[EventRequest], None]
    judge: Callable[[EventRequest, Facts], None]
    content_bytes: int = 0
    members_only: bool = True
    needs_group: bool = False
    target: Callable[[str], int] = _no_target
    questions: Callable[[EventRequest], Questions] = _no_questions
    record_problem: Callable[[str, str], str] = _no_problem
    member_change: Callable[[str], MemberChange] | None = None
    shown: Callable[[str], str] = _unchanged
