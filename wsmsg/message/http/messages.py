"""
Messages over HTTP: send a message, and read a conversation by seq.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from wsmsg.auth.scopes import Scope
from wsmsg.errors import BadRequest
from wsmsg.events import shown_content
from wsmsg.http.forms import Answer, Form, Id, parse_int, to_json_id
from wsmsg.http.routes import Argument, Call, Reply, Route
from wsmsg.message.ingress.interface import ISubmit, SendRequest
from wsmsg.message.queries.interface import IQueries
from wsmsg.model import (
    FIRST_EVENT,
    TEXT,
    Message,
    conversation_of,
    group_conversation,
)

_PAGE = 100


class NewMessage(Form):
    """
    A message to send.

    @ivar client_id: an id that the sender chooses, 1 to 64 bytes; a repeated request
        sends no second message.
    @ivar sender: the user who sends it.
    @ivar to: the user to whom it is sent.
    @ivar group: the group to which it is sent, instead of a user.
    @ivar kind: the kind of the content, 1 to 999; 1: text.
    @ivar repeat: an earlier request with this C{client_id} may have succeeded: it got
        no answer, or an answer 5xx.
    """

    client_id: str
    sender: Id = msgspec.field(name="from")
    content: str
    to: Id = 0
    group: Id = 0
    kind: int = TEXT
    repeat: bool = False


class AcceptedMessage(Answer):
    """
    A message that is durable, and will be delivered.

    @ivar time_ms: the time of its acceptance, in unix milliseconds.
    """

    message_id: Id
    conversation: str
    time_ms: int


class MessageView(Answer):
    """
    A message in a conversation.

    @ivar seq: its number in the conversation.
    @ivar kind: 1 is text.  Kinds from 1000 on are the server's, as the client protocol
        lists them: events, and 1003, a recalled message.
    @ivar time_ms: the time of its acceptance, in unix milliseconds.
    """

    seq: int
    message_id: Id
    sender: Id = msgspec.field(name="from")
    client_id: str
    content: str
    kind: int
    time_ms: int


class MessagePage(Answer):
    """
    A page of messages of a conversation, by seq.

    @ivar head: the last seq of the conversation.
    @ivar next: the C{after} of the next page; null while there is none.
    @ivar previous: the C{before} of the previous page; null on the first page.
    """

    messages: list[MessageView]
    head: int
    next: int | None
    previous: int | None


class MessageCalls:
    """
    C{POST messages}, and C{conversations/{conversation}/messages}.
    """

    def __init__(self, submit: ISubmit, queries: IQueries) -> None:
        self._submit = submit
        self._queries = queries

    def routes(self) -> Sequence[Route]:
        """
        Return the routes.
        """
        return [
            Route(
                "POST messages",
                self.send,
                {201: AcceptedMessage, 200: AcceptedMessage},
                body=NewMessage,
                scope=Scope.SEND,
            ),
            Route(
                "GET conversations/{conversation}/messages",
                self.page,
                {200: MessagePage},
                scope=Scope.READ,
                query=[
                    Argument(
                        "user",
                        "The user who reads; a member of the conversation.",
                        required=True,
                    ),
                    Argument("after", "Return messages with seqs above this."),
                    Argument(
                        "before",
                        "Return messages with seqs below this; without after, the "
                        "last of them.",
                    ),
                    Argument(
                        "limit", "The size of the page; at most the setting page."
                    ),
                ],
            ),
        ]

    async def send(self, call: Call) -> Reply:
        """
        Send a message.
        """
        form = call.body_as(NewMessage)
        sender = parse_int(form.sender, "from")
        if not 1 <= form.kind < FIRST_EVENT:
            raise BadRequest(f"kind must be 1 to {FIRST_EVENT - 1}")
        conversation = conversation_for(sender, form.to, form.group)
        call.concerns(sender=sender, conversation=conversation)
        check_text("client_id", form.client_id)
        check_text("content", form.content)
        request = SendRequest(
            0,
            sender,
            form.client_id,
            conversation,
            form.content,
            form.kind,
            repeat=form.repeat,
        )
        message, again = await self._submit.submit(request)
        call.concerns(message_id=message.message_id)
        accepted = AcceptedMessage(
            message_id=to_json_id(message.message_id),
            conversation=conversation,
            time_ms=message.time_ms,
        )
        return Reply(200 if again else 201, accepted)

    async def page(self, call: Call) -> Reply:
        """
        Read messages of a conversation.
        """
        user = parse_int(call.text("user"), "user")
        limit = call.limit(_PAGE, self._queries.page_limit)
        after, before = call.number("after", 0), call.number("before", 0)
        backwards = bool(before) and not call.text("after")
        found = await self._queries.page(
            user,
            call.path["conversation"],
            after,
            limit,
            before=before if backwards else 0,
        )
        messages, head = found.messages, found.head
        if before:
            messages = [m for m in messages if m.seq < before]
        first = messages[0].seq if messages else 0
        last = messages[-1].seq if messages else after
        page = MessagePage(
            messages=[view(m) for m in messages],
            head=head,
            next=last if last < head and (messages or not before) else None,
            previous=first if first > 1 and (backwards or first == after + 1) else None,
        )
        return Reply(200, page)


def conversation_for(sender: int, to: Id, group: Id) -> str:
    """
    Return the conversation to which a message is sent.

    @raise BadRequest: the request names neither a user nor a group, or both.
    """
    if bool(to) == bool(group):
        raise BadRequest("a message has either to (a user) or group, not both")
    if group:
        return group_conversation(parse_int(group, "group"))
    return conversation_of(sender, parse_int(to, "to"))


def check_text(name: str, text: str) -> None:
    """
    Check that UTF-8 can encode a text.

    @raise BadRequest: it cannot.
    """
    try:
        text.encode()
    except UnicodeEncodeError as e:
        raise BadRequest(f"{name} is not valid Unicode: lone surrogate") from e


def view(message: Message) -> MessageView:
    """
    Return the view of a message.
    """
    return MessageView(
        seq=message.seq,
        message_id=to_json_id(message.message_id),
        sender=to_json_id(message.sender),
        client_id=message.client_id,
        content=shown_content(message),
        kind=message.kind,
        time_ms=message.time_ms,
    )
