"""
The calls of a traced message, and the rules that explain where it comes back.

A I{turn} is everything that happens in one call that the event loop, or the loop of a
thread, makes.  A I{return} is a call into a module that the message had passed and
left.  One of these rules explains it:

  - I{value}: the module is one of values (L{VALUES}), and calls no other.
  - I{branch}: the message goes to one more receiver.  It passed an object of the same
    class in this turn, and not this one: the sessions of two users.
  - I{answer}: in this turn, only the answer to the sender (L{ANSWERS}) has passed the
    module before.  The answer and the message itself leave one after the other, in one
    frame of the stream.
  - I{pause}: the message left the module in an earlier turn, so it waited in between
    for a disk, a socket or a batch; or for whoever pulls it, such as the writer of a
    stream.

Every other return is I{unexplained}: a detour within one turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from itertools import chain, groupby, takewhile
from typing import NamedTuple

#: The modules and packages of values, below C{wsmsg/}.
VALUES = ("model.py", "errors.py", "protocol/", "flow/")

#: The functions that answer the sender of a message, with all that they call.
ANSWERS = (
    "connect/upstream/stream.py:UpstreamStream._results",
    "message/delivery/store_log.py:StoreLog._answer",
)


class Call(NamedTuple):
    """
    A call of a function of the package.

    @ivar at_s: when, in seconds of the monotonic clock.
    @ivar depth: how many functions of the package are around it; 0: the event loop,
        or a library, made the call.
    @ivar turn: the number of the turn.
    @ivar receiver: tells apart the objects whose methods are called; 0: none.
    """

    at_s: float
    thread: int
    path: str
    name: str
    depth: int
    turn: int
    receiver: int = 0

    @property
    def owner(self) -> tuple[str, str]:
        """
        The module and the class.
        """
        return self.path, self.name.partition(".")[0]


class _Scope:
    """
    The part of a turn in which the message goes to one receiver.

    @ivar depth: the depth of the call that begins it.
    @ivar passed: the modules that the message passed in it.
    @ivar met: the objects that the message met in it, by module and class.
    """

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.passed: set[str] = set()
        self.met: dict[tuple[str, str], set[int]] = {}

    def answer(self, depth: int) -> _Answer:
        """
        Return the part in which the sender is answered, before the message goes on.
        """
        part = _Answer(depth)
        part.passed.update(self.passed)
        part.met = {owner: set(met) for owner, met in self.met.items()}
        return part

    def is_branch(self, call: Call) -> bool:
        """
        Return whether a call gives the message to one more receiver.
        """
        met = self.met.get(call.owner, ())
        return bool(call.receiver and met) and call.receiver not in met

    def add(self, call: Call) -> None:
        """
        Add a call.
        """
        self.passed.add(call.path)
        if call.receiver:
            self.met.setdefault(call.owner, set()).add(call.receiver)


class _Answer(_Scope):
    """
    The part of a turn in which the sender is answered.
    """


def returns(calls: Sequence[Call]) -> Iterator[tuple[Call, str]]:
    """
    Yield the returns of one thread, each with the rule that explains it.
    """
    passed: set[str] = set()
    for _, group in groupby(calls, lambda c: c.turn):
        turn = list(group)
        last = ""
        inside: list[Call] = []
        scopes = [_Scope(-1)]
        answered: set[str] = set()
        for i, call in enumerate(turn):
            while inside and inside[-1].depth >= call.depth:
                inside.pop()
            while scopes[-1].depth >= call.depth:
                scope = scopes.pop()
                if isinstance(scope, _Answer):
                    answered |= scope.passed
            if f"{call.path}:{call.name}" in ANSWERS:
                scopes.append(scopes[-1].answer(call.depth))
            around = {c.path for c in inside}
            if call.path != last and call.path in passed and call.path not in around:
                rule = explain(call, turn[i + 1 :], scopes, answered)
                yield call, rule
                if rule == "branch" and call.path in scopes[-1].passed:
                    scopes.append(_Scope(call.depth))
            scopes[-1].add(call)
            inside.append(call)
            passed.add(call.path)
            last = call.path


def explain(
    call: Call, later: Sequence[Call], scopes: Sequence[_Scope], answered: Set[str]
) -> str:
    """
    Return the name of the rule that explains a return.

    @param later: the calls after it in its turn.
    @param scopes: the calls before it: all of them, and those of branches.
    @param answered: the modules that the answer passed in this turn.
    """
    within = takewhile(lambda c: c.depth > call.depth, later)
    if all(c.path.startswith(VALUES) for c in chain([call], within)):
        return "value"
    *outer, scope = scopes
    if scope.is_branch(call):
        return "branch"
    if call.path in scope.passed:
        return "unexplained"
    if call.path in answered:
        return "answer"
    return "branch" if any(call.path in s.passed for s in outer) else "pause"
