"""
Requests to send a message: their form, their answers, and the interfaces of ingress.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from wsmsg.errors import BadRequest, Forbidden, TooLarge, WsmsgError
from wsmsg.events import EVENT_KINDS
from wsmsg.events.kind import InvalidContent
from wsmsg.model import (
    FIRST_EVENT,
    InvalidName,
    Message,
    group_in,
    is_group,
    members_of,
)
from wsmsg.settings.values import MessageSettings


class SendRequest(NamedTuple):
    """
    A message, or an event, that a user wants accepted.

    @ivar ref: the caller's own reference, for its reply.
    """

    ref: int
    sender: int
    client_id: str
    conversation: str
    content: str
    kind: int


#: A request with the time of its acceptance in unix ms, or the error that refuses it.
Answer = tuple[SendRequest, "int | WsmsgError"]
Reply = Callable[[Sequence[Answer]], object]


@attrs.frozen
class SubmitResult:
    """
    A message is in the journal.

    @ivar time_ms: when it was accepted, in unix milliseconds.
    @ivar again: it was stored before this request.
    @ivar stored: it can be read already; otherwise it will be.
    """

    time_ms: int
    again: bool
    stored: bool


class IIngress(Interface):
    """
    The only way into the journal.
    """

    in_flight: int = Attribute("Requests on their way into the journal.")
    accepted: int = Attribute("Requests that were accepted.")
    rejected: int = Attribute("Requests that were refused.")
    repeats: int = Attribute("Requests that were accepted before.")

    def accept(requests: Iterable[SendRequest], reply: Reply) -> None:
        """
        Accept these requests, in their order.

        @param reply: called with answers, perhaps more than once; each request is
            answered exactly once.
        """

    def idle() -> Deferred[None]:
        """
        @return: a Deferred that fires when no request is on its way into the journal.
        """

    def apply_settings(settings: MessageSettings) -> None:
        """
        Apply the limits of sends and of groups.
        """


class ISubmit(Interface):
    """
    Submits one message for a caller that waits for the result.
    """

    def submit(request: SendRequest) -> Awaitable[tuple[Message, bool]]:
        """
        Have a request accepted, without waiting until the message is stored.

        @return: the message, without its seq, and whether it was accepted before this
            request.
        @raise WsmsgError: the request is refused.
        """

    def submit_and_wait(request: SendRequest) -> Awaitable[SubmitResult]:
        """
        Have a request accepted, and wait until the message is stored and a change of
        members is visible, at most two seconds.

        @raise WsmsgError: the request is refused.
        """


def validate(request: SendRequest, content_bytes: int) -> WsmsgError | None:
    """
    Return what is wrong with a request in itself, if anything.  Membership of groups
    is not checked here.

    @param content_bytes: the longest content, in bytes of UTF-8.
    """
    if not 1 <= len(request.client_id.encode()) <= 64:
        return BadRequest("client_id must have 1 to 64 bytes")
    if request.kind >= FIRST_EVENT:
        return _event_problem(request)
    try:
        if is_group(request.conversation):
            group_in(request.conversation)
        elif request.sender not in members_of(request.conversation):
            return Forbidden("the sender is not in the conversation")
    except InvalidName as e:
        return BadRequest(str(e))
    # A character has at most 4 bytes: most content need not be encoded to know.
    content = request.content
    if request.kind < 0 or "\0" in content:
        return BadRequest("kind is negative, or content has the character U+0000")
    if len(content) * 4 > content_bytes:
        n_bytes = len(content.encode())
        if n_bytes > content_bytes:
            return TooLarge(
                f"content has {n_bytes} bytes, the limit is {content_bytes}"
            )
    return None


def _event_problem(request: SendRequest) -> WsmsgError | None:
    kind = EVENT_KINDS.get(request.kind)
    if kind is None:
        return BadRequest(f"messages of kind {request.kind} cannot be sent")
    if kind.content_bytes:
        problem = validate(request._replace(kind=0), kind.content_bytes)
        if problem is not None:
            return problem
    try:
        kind.validate(request)
    except (InvalidName, InvalidContent) as e:
        return BadRequest(str(e))
    except WsmsgError as e:
        return e
    return None
