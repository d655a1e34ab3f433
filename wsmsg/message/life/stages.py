"""
The stages that facts, the store and cursors show, and what is not known: decisions
without I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs

from wsmsg.flow.life_ring import LifeFact, Stage
from wsmsg.message.life.interface import LifeStage, NodeMemory
from wsmsg.model import RECALLED, Cursor, Message
from wsmsg.tracing.context import trace_id_in

#: The stages, in the order of the way of a message.
ORDER = (
    *("received", "accepted", "appended", "stored", "pushed", "written", "answered"),
    *("delivered", "read", "dead"),
)
#: The most recipients that are listed.
MOST_RECIPIENTS = 1000

_NAMES: Mapping[int, str] = {
    Stage.RECEIVED: "received",
    Stage.ANSWERED: "answered",
    Stage.FETCHED: "appended",
    Stage.STORED: "stored",
    Stage.PUSHED: "pushed",
    Stage.WRITTEN: "written",
}


@attrs.frozen
class Remembered:
    """
    The facts of a message that one node remembers.

    @ivar confirmations: whether they include all confirmations that it remembers.
    """

    memory: NodeMemory
    facts: Sequence[LifeFact]
    confirmations: bool = False


@attrs.frozen
class Letter:
    """
    A dead letter with the message.
    """

    number: int
    reason: str
    time_ms: int
    partition: int
    offset: int


@attrs.frozen
class Evidence:
    """
    Everything that was found about a message.

    @ivar message: as it is stored, or L{None}.
    @ivar recipients: those of the stored message, and the cursors that they have.
    @ivar letters: in rising order.
    @ivar silent: whether a node did not answer.
    @ivar messages_silent: whether a Message did not.
    """

    message: Message | None
    remembered: Sequence[Remembered]
    recipients: Sequence[int] = ()
    cursors: Mapping[int, Cursor] = attrs.field(factory=dict)
    letters: Sequence[Letter] = ()
    silent: bool = False
    messages_silent: bool = False

    @property
    def confirmations_known(self) -> bool:
        """
        True if the Messages remember all confirmations of the message.
        """
        message, messages = self.message, self._of_messages()
        return (
            message is not None
            and not self.messages_silent
            and all(
                each.confirmations and 0 < each.memory.since_ms <= message.time_ms
                for each in messages
            )
        )

    def first_confirmations(self) -> dict[tuple[str, int], tuple[LifeFact, str]]:
        """
        Return the first confirmation of each user that is remembered, and its node, by
        the name of the stage and by user.  What is read is delivered as well.
        """
        found = [
            (fact, each.memory.node)
            for each in self._of_messages()
            for fact in each.facts
            if fact.stage in (Stage.DELIVERED, Stage.READ)
        ]
        first: dict[tuple[str, int], tuple[LifeFact, str]] = {}
        for fact, node in sorted(found, key=lambda each: each[0].time_ms):
            first.setdefault(("delivered", fact.user), (fact, node))
            if fact.stage == Stage.READ:
                first.setdefault(("read", fact.user), (fact, node))
        return first

    def _of_messages(self) -> list[Remembered]:
        return [each for each in self.remembered if each.memory.kind == "message"]


def stages_of(evidence: Evidence) -> list[LifeStage]:
    """
    Return the stages, in their order.
    """
    found = [*_passing(evidence.remembered), *_durable(evidence)]
    return sorted(found, key=lambda s: (ORDER.index(s.stage), s.time_ms, s.node))


def _passing(remembered: Iterable[Remembered]) -> Iterator[LifeStage]:
    seen, stored = set(), set[str]()
    for each in remembered:
        node = each.memory.node
        for fact in each.facts:
            name, details = _NAMES.get(fact.stage), _details(fact)
            key = (name, node, *details.items())
            # A newer node may have stages that are not known here.
            if name is not None and key not in seen:
                seen.add(key)  # A push that was repeated is shown once.
                yield LifeStage(name, node, _time_of(fact), details)
            if fact.stage == Stage.PUSHED and fact.number and node not in stored:
                stored.add(node)
                yield LifeStage("stored", node, fact.time_ms, {"seq": fact.number})


def _time_of(fact: LifeFact) -> int:
    # A record has its own time; an older version notes that of reading it alone.
    return fact.user if fact.stage == Stage.FETCHED else fact.time_ms


def _details(fact: LifeFact) -> dict[str, int | str]:
    match fact.stage:
        case Stage.RECEIVED | Stage.WRITTEN:
            return {"user": fact.user, "session": fact.number, "device": fact.text}
        case Stage.ANSWERED:
            code = fact.text or "accepted"
            return {"user": fact.user, "session": fact.number, "code": code}
        case Stage.FETCHED:
            return {"partition": fact.extra, "offset": fact.number}
        case Stage.STORED:
            return {"seq": fact.number}
        case Stage.PUSHED:
            return {"connect": fact.text, "recipients": fact.extra}
        case _:
            return {}


def _durable(evidence: Evidence) -> Iterator[LifeStage]:
    message = evidence.message
    if message is not None:
        yield LifeStage("accepted", "", message.time_ms)
        if not any(
            fact.stage == Stage.STORED or (fact.stage == Stage.PUSHED and fact.number)
            for each in evidence.remembered
            for fact in each.facts
        ):
            yield LifeStage("stored", "", 0, {"seq": message.seq})
        known = evidence.confirmations_known
        first = evidence.first_confirmations() if known else {}
        for user in evidence.recipients:
            cursor = evidence.cursors.get(user)
            if cursor is not None and cursor.delivered >= message.seq:
                yield _confirmed("delivered", user, first)
            if cursor is not None and _has_read(cursor, message.seq):
                yield _confirmed("read", user, first)
    for letter in evidence.letters:
        yield LifeStage("dead", "", letter.time_ms, _of_letter(letter))


def _confirmed(
    stage: str, user: int, first: Mapping[tuple[str, int], tuple[LifeFact, str]]
) -> LifeStage:
    if (stage, user) not in first:
        return LifeStage(stage, "", 0, {"user": user})
    fact, node = first[stage, user]
    return LifeStage(stage, node, fact.time_ms, {"user": user, "seq": fact.number})


def _of_letter(letter: Letter) -> dict[str, int | str]:
    return {
        "letter": letter.number,
        "reason": letter.reason,
        "partition": letter.partition,
        "offset": letter.offset,
    }


def _has_read(cursor: Cursor, seq: int) -> bool:
    return cursor.read >= seq or any(a <= seq <= b for a, b in cursor.seen)


def forgotten_before(evidence: Evidence) -> int:
    """
    Return the unix time in milliseconds before which some node may have forgotten facts
    of the message; 0: none has.
    """
    since = [each.memory.since_ms for each in evidence.remembered]
    latest_ms = max(since, default=0)
    message = evidence.message
    if message is None:
        return latest_ms
    if all(since):
        return latest_ms if latest_ms > message.time_ms else 0
    return max(latest_ms, message.time_ms)  # one remembers nothing


def notes_of(evidence: Evidence, stages: Sequence[LifeStage]) -> Iterator[str]:
    """
    Yield what follows, and what is not known.
    """
    message, by_name = evidence.message, {s.stage for s in stages}
    yield from _traces(evidence.remembered)
    if message is None:
        yield from _notes_without(stages, by_name)
        return
    if message.kind == RECALLED:
        yield "Its sender has recalled it: its content is gone."
    if message.withheld:
        yield (
            "It is withheld from the recipient, who had blocked the sender when it was "
            "stored, and never arrives there."
        )
        return
    yield from _confirmations_without_time(evidence, stages)
    forgotten = forgotten_before(evidence)
    without = [
        user
        for user in evidence.recipients
        if (cursor := evidence.cursors.get(user)) is None
        or max(cursor.delivered, cursor.read) < message.seq
    ]
    written = {s.details["user"] for s in stages if s.stage == "written"}
    for user in without[:MOST_RECIPIENTS]:
        if user in written:
            yield (
                f"User {user}: Connect has written it, and no device has confirmed it "
                "yet."
            )
        elif forgotten:
            yield (
                f"User {user} has not confirmed it; whether a Connect wrote it is "
                "forgotten."
            )
        elif evidence.silent:
            yield (
                f"User {user} has not confirmed it; whether a Connect wrote it may be "
                "known to those that did not answer."
            )
        else:
            yield (
                f"User {user} has not confirmed it, and no node remembers that a "
                "Connect wrote it: the user was not online, and gets it by the next "
                "sync."
            )


def _confirmations_without_time(
    evidence: Evidence, stages: Sequence[LifeStage]
) -> Iterator[str]:
    if not any(s.stage in ("delivered", "read") and not s.time_ms for s in stages):
        return
    if evidence.confirmations_known:
        yield "When some of the users confirmed it was not noted."
    elif evidence.messages_silent:
        yield (
            "When the users confirmed it may be known to the Messages that did not "
            "answer."
        )
    else:
        yield (
            "When the users confirmed it is not known any more: the Messages do not "
            "remember all since it was accepted."
        )


def _traces(remembered: Iterable[Remembered]) -> Iterator[str]:
    traced = (f for each in remembered for f in each.facts if f.stage == Stage.TRACED)
    for trace_id in dict.fromkeys(trace_id_in(f.user, f.number) for f in traced):
        yield f"It is traced: {trace_id} is the id of the trace."


def _notes_without(stages: Sequence[LifeStage], by_name: set[str]) -> Iterator[str]:
    answers = [s for s in stages if s.stage == "answered"]
    accepted = [s for s in answers if s.details["code"] == "accepted"]
    if "dead" in by_name:
        yield "It is not stored: its record is in the dead letters."
    elif accepted:
        yield (
            "It was accepted, and the store does not have it: it must be in the "
            "journal, or the store was replaced by an older copy."
        )
    elif answers:
        yield f"It was rejected as {answers[-1].details['code']}, and is not stored."
    elif "received" in by_name:
        yield (
            "A Connect received it, and no answer to the client is remembered: the "
            "client has to send it again."
        )
