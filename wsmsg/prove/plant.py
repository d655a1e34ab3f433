"""
Plants a violation in a history, so that everybody can see that the checker finds it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable

from wsmsg.prove.checker import Line

#: The ways in which a client gets a message.
_RECEIVED = ("push", "page", "event")
_TOO_LONG_S = 60.0


class CannotPlant(Exception):
    """
    The history has nothing in which this violation could be planted.
    """


def plant(kind: str, lines: Iterable[Line]) -> list[Line]:
    """
    Return the lines of a history with one violation more.

    @param kind: a key of L{PLANTS}.
    @raise CannotPlant: the history is too short for it.
    """
    planted = PLANTS[kind][1]([*lines])
    planted[-1] = {**planted[-1], "lines": len(planted)}
    return planted


def _about(line: Line, c: str, seq: int) -> bool:
    received = line["e"] == "final" or line.get("op") in _RECEIVED
    return received and line["conversation"] == c and line["seq"] == seq


def _longest(lines: list[Line]) -> tuple[str, int]:
    """
    Return the conversation of two with the most messages, and its last number.
    """
    heads: Counter[str] = Counter()
    for line in lines:
        if line["e"] == "final" and line["conversation"].startswith("u:"):
            heads[line["conversation"]] += 1
    if not heads or heads.most_common(1)[0][1] < 3:
        raise CannotPlant("no conversation of two users has three messages")
    return heads.most_common(1)[0]


def _loss(lines: list[Line]) -> list[Line]:
    c, head = _longest(lines)
    return [line for line in lines if not _about(line, c, head)]


def _double(lines: list[Line]) -> list[Line]:
    for n, line in enumerate(lines):
        if line.get("op") in ("push", "event"):
            return [*lines[: n + 1], dict(line), *lines[n + 1 :]]
    raise CannotPlant("no message was pushed")


def _hole(lines: list[Line]) -> list[Line]:
    c, head = _longest(lines)
    return [{**x, "seq": head + 1} if _about(x, c, head) else x for x in lines]


def _swap(lines: list[Line]) -> list[Line]:
    senders: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
    for line in lines:
        if line["e"] == "final" and not line.get("event"):
            senders[line["conversation"], line["from"]].append(line["seq"])
    for (c, _), seqs in senders.items():
        if len(seqs) > 1:
            one, two = sorted(seqs)[:2]
            other = {one: two, two: one}
            return [
                {**x, "seq": other[x["seq"]]}
                if x.get("seq") in other and _about(x, c, x["seq"])
                else x
                for x in lines
            ]
    raise CannotPlant("no user sent two messages to a conversation")


def _ghost(lines: list[Line]) -> list[Line]:
    watcher = next((x["user"] for x in lines if x.get("op") == "presence"), None)
    if watcher is None:
        raise CannotPlant("no user watched another one")
    end_s = lines[-1]["t"]
    gone = {"t": end_s, "e": "info", "op": "gone", "user": 1}
    late = {**gone, "op": "presence", "t": end_s + _TOO_LONG_S, "user": watcher}
    end = {**lines[-1], "t": end_s + _TOO_LONG_S}
    return [*lines[:-1], gone, {**late, "of": 1, "online": True}, end]


def _leak(lines: list[Line]) -> list[Line]:
    users = sorted({x["user"] for x in lines if x.get("op") == "send"})
    for n, line in enumerate(lines):
        if line.get("op") == "push" and line["conversation"].startswith("u:"):
            others = {*map(int, line["conversation"].split(":")[1:])}
            stranger = next((u for u in users if u not in others), None)
            if stranger is not None:
                leaked = {**line, "user": stranger, "session": -1, "op": "page"}
                return [*lines[: n + 1], leaked, *lines[n + 1 :]]
    raise CannotPlant("no message of two users was pushed while a third was there")


def _late(lines: list[Line]) -> list[Line]:
    last: dict[tuple[int, str, int, str], int] = {}
    for n, line in enumerate(lines):
        if line.get("op") == "push":
            who = line["user"], line["device"], line["session"], line["conversation"]
            before = last.get(who)
            if before is not None and lines[before]["seq"] == line["seq"] - 1:
                early = {**line, "t": lines[before]["t"]}
                late = {**lines[before], "t": line["t"]}
                return [
                    *lines[:before],
                    early,
                    *lines[before + 1 : n],
                    late,
                    *lines[n + 1 :],
                ]
            last[who] = n
    raise CannotPlant("no session was pushed two messages of a conversation")


#: By name: the promise that it breaks, and how it is made.
PLANTS: dict[str, tuple[str, Callable[[list[Line]], list[Line]]]] = {
    "loss": ("P1", _loss),
    "double": ("P4", _double),
    "hole": ("P3", _hole),
    "swap": ("P3", _swap),
    "ghost": ("P9", _ghost),
    "leak": ("P8", _leak),
    "late": ("P4", _late),
}
