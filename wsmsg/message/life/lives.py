"""
Finds a message, asks all nodes what they remember of it, and puts its life together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from wsmsg.dependency.gather import both
from wsmsg.errors import NotFound, Unavailable, WsmsgError
from wsmsg.message.journal.interface import DeadLetter, IDeadLetters, JournalEntry
from wsmsg.message.life.interface import MessageLife, NodeMemory, Subject
from wsmsg.message.life.others import OtherMessages
from wsmsg.message.life.stages import (
    MOST_RECIPIENTS,
    Evidence,
    Letter,
    Remembered,
    forgotten_before,
    notes_of,
    stages_of,
)
from wsmsg.message.links.interface import IConnectLives
from wsmsg.message.store.interface import IMessageStore
from wsmsg.model import (
    Cursor,
    InvalidName,
    Message,
    MessageIdentity,
    is_group,
    members_of,
)
from wsmsg.monitoring.words import shown_time
from wsmsg.rpc import rest_pb2
from wsmsg.stream.convert import life_answer_of, life_facts_of

#: The time within which a node must answer.
TIMEOUT_S = 1.0
#: The most conversations of a sender that are searched for a client id.
MOST_CONVERSATIONS = 10_000
#: The most dead letters that are searched.
MOST_LETTERS = 10_000
_PAGE = 500

#: Decodes the record in a dead letter: partition, offset, value.
Decode = Callable[[int, int, bytes], JournalEntry]


class Lives:
    """
    Answers what became of messages; see L{wsmsg.message.life.interface.ILives}.

    @param node: the name of this Message.
    @param connects: asks the Connects.
    @param others: asks the other Messages.
    @param decode: decodes the records of dead letters.
    """

    def __init__(
        self,
        node: str,
        store: IMessageStore,
        letters: IDeadLetters,
        connects: IConnectLives,
        others: OtherMessages,
        clock: IReactorTime,
        *,
        decode: Decode,
    ) -> None:
        self._node = node
        self._store = store
        self._letters = letters
        self._connects = connects
        self._others = others
        self._clock = clock
        self._decode = decode

    def answer(self, query: rest_pb2.LifeQuery) -> rest_pb2.LifeAnswer:
        """
        Answer another Message with what this one remembers.
        """
        return life_answer_of(query, self._connects.ring, self._node)

    async def life(self, subject: Subject) -> MessageLife:
        """
        Put together what is known of a message.
        """
        missing: dict[str, str] = {}
        message = None
        try:
            message = await self._find(subject)
        except WsmsgError as e:
            missing["store"] = e.reason
        query = rest_pb2.LifeQuery(
            sender=subject.sender,
            client_id=subject.client_id,
            message_id=subject.message_id,
        )
        if message is not None:
            query.sender, query.client_id = message.sender, message.client_id
            query.message_id = message.message_id
        of_messages = rest_pb2.LifeQuery()
        of_messages.CopyFrom(query)
        if message is not None:
            of_messages.conversation = message.conversation
            of_messages.seq = message.seq
        (connects, unheard), (others, lost) = await both(
            Deferred.fromCoroutine(self._connects.ask(query, TIMEOUT_S)),
            Deferred.fromCoroutine(self._others.ask(of_messages, TIMEOUT_S)),
        )
        missing.update(unheard)
        missing.update(lost)
        answers = [("message", a) for a in (self.answer(of_messages), *others)]
        answers += [("connect", a) for a in connects]
        remembered = [
            Remembered(
                NodeMemory(a.node, kind, a.since_ms), life_facts_of(a), a.confirmations
            )
            for kind, a in answers
        ]
        letters = await self._dead(subject, message, missing)
        users, cursors, more = await self._recipients(message, missing)
        evidence = Evidence(
            message,
            remembered,
            users,
            cursors,
            letters,
            silent=bool(unheard or lost),
            messages_silent=bool(lost),
        )
        stages = stages_of(evidence)
        memories = [each.memory for each in remembered]
        if not stages:
            raise _unknown(subject, memories, missing)
        return MessageLife(
            message,
            stages,
            list(notes_of(evidence, stages)),
            memories,
            missing,
            forgotten_before(evidence),
            more + sum(a.left_out for _, a in answers),
        )

    # -- the store

    async def _find(self, subject: Subject) -> Message | None:
        if subject.message_id:
            by_id = await self._store.by_ids([subject.message_id])
            return by_id.get(subject.message_id)
        if subject.seq:
            page, _ = await self._store.page(subject.conversation, subject.seq - 1, 1)
            found = [m for m in page if m.seq == subject.seq]
            return found[0] if found else None
        if subject.conversation:
            return await self._in([subject.conversation], subject)
        position, searched = "", 0
        while searched < MOST_CONVERSATIONS:
            rows = await self._store.conversations_of(subject.sender, position, _PAGE)
            names = [row.conversation for row in rows.rows]
            message = await self._in(names, subject)
            if message is not None or not rows.more:
                return message
            position, searched = rows.position, searched + len(names)
        raise Unavailable(
            f"user {subject.sender} has more than {MOST_CONVERSATIONS} conversations: "
            "name the conversation of the message"
        )

    async def _in(self, names: Sequence[str], subject: Subject) -> Message | None:
        identities = [
            MessageIdentity(name, subject.sender, subject.client_id) for name in names
        ]
        found = await self._store.find(identities) if identities else {}
        return next(iter(found.values()), None)

    async def _recipients(
        self, message: Message | None, missing: dict[str, str]
    ) -> tuple[Sequence[int], dict[int, Cursor], int]:
        """
        Return the recipients of a stored message and their cursors, and how many more
        there are.
        """
        if message is None:
            return (), {}, 0
        name, place = message.conversation, (message.conversation, message.seq)
        try:
            if is_group(name):
                at = await self._store.members_at([place])
                members = sorted(at.get(place, ()))
            else:
                members = list(members_of(name))
            others = [m for m in members if m != message.sender] or members
            users = others[:MOST_RECIPIENTS]
            found = await self._store.cursors([(name, user) for user in users])
        except InvalidName:
            return (), {}, 0
        except WsmsgError as e:
            missing["store"] = e.reason
            return (), {}, 0
        cursors = {user: found[name, user] for user in users if (name, user) in found}
        return users, cursors, len(others) - len(users)

    # -- dead letters

    async def _dead(
        self, subject: Subject, message: Message | None, missing: dict[str, str]
    ) -> list[Letter]:
        searching = Deferred.fromCoroutine(self._search(subject, message))
        late = f"no answer in {TIMEOUT_S:g} s"

        def too_late(result: object, _: float) -> object:
            missing["dead letters"] = late
            return []

        searching.addTimeout(TIMEOUT_S, self._clock, too_late)
        try:
            return await searching
        except WsmsgError as e:
            missing["dead letters"] = e.reason
            return []

    async def _search(self, subject: Subject, message: Message | None) -> list[Letter]:
        found: list[Letter] = []
        after = 0
        for _ in range(MOST_LETTERS // _PAGE):
            letters = await self._letters.dead_letters(after, _PAGE)
            found += [
                Letter(x.number, x.reason, x.time_ms, x.partition, x.offset)
                for x in letters
                if self._is_of(x, subject, message)
            ]
            if len(letters) < _PAGE:
                return found
            after = letters[-1].number
        raise Unavailable(f"there are more than {MOST_LETTERS} dead letters")

    def _is_of(
        self, letter: DeadLetter, subject: Subject, message: Message | None
    ) -> bool:
        if letter.is_cut:
            return False
        dead = self._decode(letter.partition, letter.offset, letter.value).message
        if dead is None:
            return False
        if message is not None:
            return dead.identity == message.identity
        if subject.message_id:
            return dead.message_id == subject.message_id
        return (
            bool(subject.client_id)
            and (dead.sender, dead.client_id) == (subject.sender, subject.client_id)
            and subject.conversation in ("", dead.conversation)
        )


def _unknown(
    subject: Subject, memories: Sequence[NodeMemory], missing: dict[str, str]
) -> WsmsgError:
    nodes = ", ".join(f"{m.node} ({_since(m.since_ms)})" for m in memories)
    reason = f"there is no {subject}: no node that answered remembers it: {nodes}"
    if missing:
        left = "; ".join(f"{name}: {why}" for name, why in missing.items())
        reason += f".  It is not known what these know: {left}"
        if "store" in missing:
            return Unavailable(reason)
    return NotFound(reason)


def _since(ms: int) -> str:
    if not ms:
        return "remembers nothing"
    return f"since {shown_time(ms / 1000)}"
