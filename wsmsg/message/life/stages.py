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
    """

    memory: NodeMemory
    facts: Sequence[LifeFact]


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
    """

    message: Message | None
    remembered: Sequence[Remembered]
    recipients: Sequence[int] = ()
    cursors: Mapping[int, Cursor] = attrs.field(factory=dict)
    letters: Sequence[Letter] = ()
    silent: bool = False


def stages_of(evidence: Evidence) -> list[LifeStage]:
    """
    Return the stages, in their order.
    """
    found = [*_passing(evidence.remembered), *_durable(evidence)]
    return sorted(found, key=lambda s: (ORDER.index(s.stage), s.time_ms, s.node))


def _passing(remembered: Iterable[Remembered]) -> Iterator[LifeStage]:
    seen = set()
    for each in remembered:
        node = each.memory.node
        for fact in each.facts:
            name, details = _NAMES.get(fact.stage), _details(fact)
            key = (name, node, *details.items())
            # A newer node may have stages that are not known here.
            if name is not None and key not in seen:
                seen.add(key)  # A push that was repeated is shown once.
                yield LifeStage(name, node, fact.time_ms, details)


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
            fact.stage == Stage.STORED
            for each in evidence.remembered
            for fact in each.facts
        ):
            yield LifeStage("stored", "", 0, {"seq": message.seq})
        for user in evidence.recipients:
            cursor = evidence.cursors.get(user)
            if cursor is not None and cursor.delivered >= message.seq:
                yield LifeStage("delivered", "", 0, {"user": user})
            if cursor is not None and _has_read(cursor, message.seq):
                yield LifeStage("read", "", 0, {"user": user})
    for letter in evidence.letters:
        yield LifeStage("dead", "", letter.time_ms, _of_letter(letter))


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
