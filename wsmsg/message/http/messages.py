"""
Messages over HTTP: say something, and read a conversation by its numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from wsmsg.errors import BadRequest
from wsmsg.http.forms import Answer, Form, Id, parse_int, to_json_id
from wsmsg.http.routes import Argument, Call, Reply, Route
from wsmsg.message.ingress.interface import SendRequest
from wsmsg.message.ingress.submit import SubmitAndWait
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
    What a user says.

    @ivar client_id: the sender's own id for it, 1 to 64 bytes; the same is said once.
    @ivar sender: who says it.
    @ivar to: a user.
    @ivar group: or a group, of which the sender is a member.
    @ivar kind: what the content is, 1 to 999; 1: text.
    """

    client_id: str
    sender: Id = msgspec.field(name="from")
    content: str
    to: Id = 0
    group: Id = 0
    kind: int = TEXT


class AcceptedMessage(Answer):
    """
    It is durable, and will be delivered.

    @ivar time_ms: since when, in unix milliseconds.
    """

    message_id: Id
    conversation: str
    time_ms: int


class MessageView(Answer):
    """
    A message at its place in a conversation.

    @ivar seq: its number there.
    @ivar kind: 1 is text; from 1000 on the server says something: 1001 is a change of
        the group, 1002 takes a message back, 1003 is what was taken back.
    @ivar time_ms: when it was accepted.
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
    Some messages of a conversation, by number.

    @ivar head: the last number that there is.
    @ivar next: the C{after} of the page behind; null: there is none now.
    @ivar previous: the C{before} of the page in front; null: there is none.
    """

    messages: list[MessageView]
    head: int
    next: int | None
    previous: int | None


class MessageCalls:
    """
    C{POST messages}, and C{conversations/{conversation}/messages}.
    """

    def __init__(self, submit: SubmitAndWait, queries: IQueries) -> None:
        self._submit = submit
        self._queries = queries

    def routes(self) -> Sequence[Route]:
        """
        What is served.
        """
        return [
            Route(
                "POST",
                "messages",
                self.say,
                body=NewMessage,
                responses={201: AcceptedMessage, 200: AcceptedMessage},
            ),
            Route(
                "GET",
                "conversations/{conversation}/messages",
                self.page,
                query=[
                    Argument(
                        "user",
                        "Who reads; has to be in the conversation.",
                        required=True,
                    ),
                    Argument("after", "Messages with greater numbers than this."),
                    Argument(
                        "before",
                        "Messages with smaller numbers; without after, the last ones.",
                    ),
                    Argument("limit", "The most on a page; bounded by page."),
                ],
                responses={200: MessagePage},
            ),
        ]

    async def say(self, call: Call) -> Reply:
        """
        Have a message accepted.
        """
        form = call.body_as(NewMessage)
        sender = parse_int(form.sender, "from")
        if not 1 <= form.kind < FIRST_EVENT:
            raise BadRequest(f"kind must be 1 to {FIRST_EVENT - 1}")
        conversation = place_of(sender, form.to, form.group)
        check_text("client_id", form.client_id)
        check_text("content", form.content)
        proposal = SendRequest(
            0, sender, form.client_id, conversation, form.content, form.kind
        )
        message, again = await self._submit.submit(proposal)
        accepted = AcceptedMessage(
            message_id=to_json_id(message.message_id),
            conversation=conversation,
            time_ms=message.time_ms,
        )
        return Reply(200 if again else 201, accepted)

    async def page(self, call: Call) -> Reply:
        """
        Read some messages of a conversation.
        """
        user = parse_int(call.text("user"), "user")
        limit = call.limit(_PAGE, self._queries.page_limit)
        after, before = call.number("after", 0), call.number("before", 0)
        backwards = bool(before) and not call.text("after")
        if backwards:
            after = max(before - 1 - limit, 0)
            limit = min(limit, before - 1 - after)
        name = call.path["conversation"]
        found = await self._queries.page(user, name, after, max(limit, 1))
        messages, head = found.messages, found.head
        if before:
            messages = [m for m in messages if m.seq < before]
        first = messages[0].seq if messages else 0
        last = messages[-1].seq if messages else after
        page = MessagePage(
            messages=[view(m) for m in messages],
            head=head,
            next=last if last < head and (messages or not before) else None,
            previous=first if first > 1 and first == after + 1 else None,
        )
        return Reply(200, page)


def place_of(sender: int, to: Id, group: Id) -> str:
    """
    The conversation that a message is for.

    @raise BadRequest: it is for none, or for two.
    """
    if bool(to) == bool(group):
        raise BadRequest("a message is for a user (to) or for a group, one of both")
    if group:
        return group_conversation(parse_int(group, "group"))
    return conversation_of(sender, parse_int(to, "to"))


def check_text(name: str, text: str) -> None:
    """
    @raise BadRequest: it is no text that UTF-8 can spell.
    """
    try:
        text.encode()
    except UnicodeEncodeError as e:
        raise BadRequest(f"{name} has half of a surrogate pair") from e


def view(message: Message) -> MessageView:
    """
    A message, as our own calls show it.
    """
    return MessageView(
        seq=message.seq,
        message_id=to_json_id(message.message_id),
        sender=to_json_id(message.sender),
        client_id=message.client_id,
        content=message.content,
        kind=message.kind,
        time_ms=message.time_ms,
    )
