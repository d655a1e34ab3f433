"""
The life of a message: C{messages/{message_id}/life} of the API, and C{/life} of the
admin listener, for C{wsmsg where}.  Neither shows the content.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from wsmsg.auth.scopes import Scope
from wsmsg.errors import BadRequest
from wsmsg.http.forms import Answer, Id, parse_int, to_json_id
from wsmsg.http.routes import Argument, Call, Reply, Route
from wsmsg.message.life.interface import ILives, LifeStage, MessageLife, Subject
from wsmsg.model import RECALLED, InvalidName, Message, group_in, is_group, members_of

# The end of the year 9999, which a peer with a broken clock may pass.
_LAST_MS = 253_402_300_800_000


class LifeMessage(Answer):
    """
    The message, without its content.

    @ivar time: the time of its acceptance.
    @ivar recalled: its sender has recalled it.
    """

    conversation: str
    seq: int
    message_id: Id
    sender: Id = msgspec.field(name="from")
    client_id: str
    kind: int
    time: str
    recalled: bool


class StageView(Answer, omit_defaults=True):
    """
    A stage that the message has reached; C{time} and C{node} are null where nobody
    noted them.

    @ivar stage: received (by a session at a Connect), accepted (the time that the
        sender was told), appended (to the journal), stored (as C{seq}), pushed (to a
        Connect), written (into the outbox of a session), answered (the sender),
        delivered (to a device) and read (as the first confirmation says, which was of
        all up to C{seq}), dead (in the dead letters).
    @ivar since_last_ms: milliseconds since the stage before it that has a time.
    @ivar session: the number of the session at its Connect.
    @ivar recipients: how many of them that Connect has.
    @ivar code: accepted, or the code of the error.
    """

    stage: str
    node: str | None
    time: str | None
    since_last_ms: int | None
    user: Id | None = None
    session: int | None = None
    device: str | None = None
    code: str | None = None
    partition: int | None = None
    offset: int | None = None
    seq: int | None = None
    connect: str | None = None
    recipients: int | None = None
    letter: int | None = None
    reason: str | None = None


class NodeView(Answer):
    """
    A node that answered.

    @ivar kind: connect or message.
    @ivar remembers_since: it remembers all that passed it since then; null: nothing.
    """

    node: str
    kind: str
    remembers_since: str | None


class MissingView(Answer):
    """
    A node, the store or the dead letters, that did not answer.
    """

    node: str
    reason: str


class LifeView(Answer):
    """
    Everything that is known of a message.

    @ivar message: null: it is not stored, or the store cannot be asked.
    @ivar stages: in the order of the way of a message.
    @ivar notes: what else follows, and what is not known, in sentences.
    @ivar missing: what these know is not known.
    @ivar forgotten_before: what passed a node before may be forgotten; null: nothing
        is.
    @ivar left_out: facts and recipients that are not listed.
    """

    message: LifeMessage | None
    stages: list[StageView]
    notes: list[str]
    nodes: list[NodeView]
    missing: list[MissingView]
    forgotten_before: str | None
    left_out: int


class LifeCalls:
    """
    The calls C{messages/{message_id}/life} and C{life}.
    """

    def __init__(self, lives: ILives) -> None:
        self._lives = lives

    def routes(self) -> Sequence[Route]:
        """
        Return the routes of the API.
        """
        return [
            Route(
                "GET messages/{message_id}/life",
                self.by_id,
                {200: LifeView},
                scope=Scope.READ,
            ),
            Route(
                "GET life",
                self.find,
                {200: LifeView},
                scope=Scope.READ,
                query=_arguments(),
            ),
        ]

    def admin(self) -> Sequence[Route]:
        """
        Return the routes of the admin listener.
        """
        return [
            Route(
                "GET life",
                self.find,
                {200: LifeView},
                scope=Scope.OBSERVE,
                query=_arguments(),
                root="/",
            )
        ]

    async def by_id(self, call: Call) -> Reply:
        """
        Read what became of a message.
        """
        subject = Subject(message_id=parse_int(call.path["message_id"], "message_id"))
        return Reply(200, _view(await self._lives.life(subject)))

    async def find(self, call: Call) -> Reply:
        """
        Find a message, and read what became of it.
        """
        return Reply(200, _view(await self._lives.life(_subject(call))))


def _arguments() -> Sequence[Argument]:
    return [
        Argument("message_id", "The id of the message."),
        Argument("conversation", "Its conversation, with its seq.", number=False),
        Argument("seq", "Its number in the conversation."),
        Argument("from", "Its sender, with its client id."),
        Argument(
            "client_id",
            "The id that the sender gave it; with a conversation, only there.",
            number=False,
        ),
    ]


def _subject(call: Call) -> Subject:
    given = {
        name: call.text(name)
        for name in ("message_id", "conversation", "seq", "from", "client_id")
        if call.text(name)
    }
    conversation = given.get("conversation", "")
    if conversation:
        _check_conversation(conversation)
    match tuple(given):
        case ("message_id",):
            return Subject(message_id=parse_int(given["message_id"], "message_id"))
        case ("conversation", "seq"):
            return Subject(
                conversation=conversation, seq=parse_int(given["seq"], "seq")
            )
        case ("from", "client_id") | ("conversation", "from", "client_id"):
            return Subject(
                conversation=conversation,
                sender=parse_int(given["from"], "from"),
                client_id=given["client_id"],
            )
    raise BadRequest(
        "a message is named by message_id, by conversation and seq, or by from and "
        "client_id"
    )


def _check_conversation(name: str) -> None:
    try:
        group_in(name) if is_group(name) else members_of(name)
    except InvalidName as e:
        raise BadRequest(str(e)) from None


def _view(life: MessageLife) -> LifeView:
    return LifeView(
        message=None if life.message is None else _message(life.message),
        stages=_stages(life.stages),
        notes=list(life.notes),
        nodes=[
            NodeView(node=n.node, kind=n.kind, remembers_since=_time(n.since_ms))
            for n in life.nodes
        ],
        missing=[MissingView(node=n, reason=why) for n, why in life.missing.items()],
        forgotten_before=_time(life.forgotten_before_ms),
        left_out=life.left_out,
    )


def _message(m: Message) -> LifeMessage:
    return LifeMessage(
        conversation=m.conversation,
        seq=m.seq,
        message_id=to_json_id(m.message_id),
        sender=to_json_id(m.sender),
        client_id=m.client_id,
        kind=m.kind,
        time=_time(m.time_ms) or "",
        recalled=m.kind == RECALLED,
    )


def _stages(stages: Sequence[LifeStage]) -> list[StageView]:
    views, last_ms = [], 0
    for stage in stages:
        since_ms = stage.time_ms - last_ms if stage.time_ms and last_ms else None
        last_ms = stage.time_ms or last_ms
        view = StageView(
            stage=stage.stage,
            node=stage.node or None,
            time=_time(stage.time_ms),
            since_last_ms=since_ms,
        )
        views.append(msgspec.structs.replace(view, **_shown(stage)))
    return views


def _shown(stage: LifeStage) -> dict[str, object]:
    return {
        name: to_json_id(value) if isinstance(value, int) and name == "user" else value
        for name, value in stage.details.items()
    }


def _time(ms: int) -> str | None:
    if not 0 < ms < _LAST_MS:
        return None
    at = datetime.fromtimestamp(ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
