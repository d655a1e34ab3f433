"""
Requests to send a message: their form, their answers, and the interfaces of ingress.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from wsmsg.errors import WsmsgError
from wsmsg.message.consent.interface import Contacts
from wsmsg.model import (
    Message,
)
from wsmsg.settings.values import MessageSettings

#: The most bytes of UTF-8 in the C{extra} of a message.
EXTRA_BYTES = 2048


class SendRequest(NamedTuple):
    """
    A message, or an event, that a user wants accepted.

    @ivar ref: the caller's own reference, for its reply.
    @ivar connect: the node of the Connect that it came through; empty: none.
    @ivar extra: as in L{Message}; at most L{EXTRA_BYTES}.
    @ivar repeat: the message may have been accepted before, here or elsewhere.
    @ivar by_user: the sender asks for it, not a service: it counts for the sender's
        limits.
    @ivar traceparent: as in L{Message}.
    """

    ref: int
    sender: int
    client_id: str
    conversation: str
    content: str
    kind: int
    connect: str = ""
    extra: str = ""
    repeat: bool = False
    by_user: bool = False
    traceparent: str = ""


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
    rejected: Mapping[str, int] = Attribute("Requests refused, by code of the error.")
    repeats: int = Attribute("Requests that were accepted before.")
    contacts: Contacts | None = Attribute(
        "Whom users may begin to reach, if it is set."
    )

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
