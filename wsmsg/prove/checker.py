"""
Decides from a history whether the promises P1 to P10 held.

This module uses the standard library alone and shares no code with the server, so it
cannot share its mistakes.  L{wsmsg.prove.history} describes the lines.  The checker
takes line after line, and keeps a few values for each message.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

PROMISES = tuple(f"P{n}" for n in range(1, 11))
#: Most violations that are kept for each promise, and the highest number of a message.
_KEPT, _MOST = 50, 10_000_000
#: The seconds before a violation in which a fault may have caused it.
_BLAMED_S = 20.0

Line = dict[str, Any]
Place = tuple[str, int]
Stays = dict[Place, list[tuple[int, int]]]


#: Facts of one line: the promise that each may break, when it does, and the words.
_FACTS: dict[str, tuple[str, Callable[[Line], bool], str]] = {
    "level": ("P6", lambda f: f["value"] > f["most"], "{name}: {value} over {most}"),
    "stopped": ("P10", lambda f: f["status"] != 0, "{of} ended with {status}"),
    "missed": ("P4", lambda f: True, "a push was missed: {text}"),
    "traceback": ("P7", lambda f: True, "{of} logged a traceback: {text}"),
    "problem": ("P4", lambda f: True, "user {user}: {text}"),
}


class BadHistory(Exception):
    """
    The history cannot be checked.
    """

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}" if line else reason)


class Breach(NamedTuple):
    """
    One violation of a promise, at a line, with the faults that may have caused it.
    """

    promise: str
    t: float
    line: int
    text: str
    faults: tuple[str, ...] = ()


class Verdict(NamedTuple):
    """
    The facts of a history: counts, the first violations, and the longest times.
    """

    header: Line
    messages: int
    deliveries: int
    counts: dict[str, int]
    breaches: list[Breach]
    faults: dict[str, int]
    recovery_s: dict[str, float]
    delay_s: float


def check(lines: Iterable[tuple[int, Line]]) -> Verdict:
    """
    Check the numbered lines of a history, which begin and end as they should.
    """
    checker = _Checker()
    for n, line in lines:
        checker.take(n, line)
    return checker.verdict()


class _Send(NamedTuple):
    number: int
    body: str


class _Checker:
    def __init__(self) -> None:
        self._t, self._n, self._header = 0.0, 0, Line()
        self._delivered, self._delay_s = 0, 0.0
        self._counts = dict.fromkeys(PROMISES, 0)
        self._breaches: list[Breach] = []
        self._faults: dict[str, int] = {}
        self._recovery_s: dict[str, float] = {}
        self._lost_s = 0.0
        self._ghost_s, self._recover_s = 5.0, 30.0
        # Sends by their identity, with when and as of what time they were accepted.
        self._sends: dict[tuple[int, str, str], _Send] = {}
        self._accepted: dict[tuple[int, str, str], tuple[float, int]] = {}
        self._asked: dict[tuple[int, str, str], str] = {}
        self._sender: dict[str, tuple[int, str, str]] = {}
        # What the first reader saw of each number, and who saw which numbers.
        self._seen: dict[Place, tuple[int, str]] = {}
        self._got: dict[tuple[int, str, str], bytearray] = defaultdict(bytearray)
        self._pushed: dict[tuple[int, str, int], dict[str, int]] = {}
        self._gaps: dict[tuple[int, str, int], str] = {}  # without a resync so far
        self._expect: list[tuple[int, str]] = []
        self._stored: dict[str, dict[int, Line]] = defaultdict(dict)
        self._gone: dict[int, tuple[float, float]] = {}
        self._online: dict[tuple[int, int], float] = {}
        self._active: dict[int, Line] = {}
        self._ended: dict[int, tuple[float, float, str, bool]] = {}
        self._together: set[int] = set()  # faults that did not come alone
        self._blamed: list[tuple[float, str]] = []
        self._sighted_s = 0.0  # nothing has kept watchers from being told since then

    def verdict(self) -> Verdict:
        facts = self._header, len(self._sends), self._delivered
        found = self._counts, self._breaches, self._faults
        return Verdict(*facts, *found, self._recovery_s, self._delay_s)

    def take(self, n: int, line: Line) -> None:
        self._n, self._t = n, line["t"]
        name = str(line.get("e"))
        name = f"{name}_{line.get('op')}" if "op" in line else name
        method = getattr(self, f"_on_{name}", None)
        if method is None:
            raise BadHistory(n, f"{name!r} is not an event of a history")
        try:
            method(line)
        except KeyError as e:
            raise BadHistory(n, f"{name} lacks {e}") from None
        except (TypeError, ValueError, AttributeError) as e:
            raise BadHistory(n, f"{name} has a wrong value: {e}") from None

    def _broken(self, promise: str, text: str) -> None:
        self._counts[promise] += 1
        if self._counts[promise] <= _KEPT:
            near = {f for t, f in self._blamed if self._t - t <= _BLAMED_S}
            faults = sorted(near | {str(f["fault"]) for f in self._active.values()})
            breach = Breach(promise, self._t, self._n, text, tuple(faults))
            self._breaches.append(breach)

    def _on_begin(self, line: Line) -> None:
        self._header = line
        self._ghost_s = float(line.get("ghost_s", self._ghost_s))
        self._recover_s = float(line.get("recover_s", self._recover_s))

    def _on_fault(self, line: Line) -> None:
        number, name, state = line["number"], str(line["fault"]), line["state"]
        if state == "begin":
            self._active[number] = line
            if len(going := {*self._active, *self._ended}) > 1:
                self._together |= going
            self._faults[name] = self._faults.get(name, 0) + 1
            return
        began = self._active.pop(number, None)
        if state == "failed":
            self._broken("P7", f"{name} of {line.get('of')}: {line.get('text')}")
        elif state == "end":
            blinds = began is not None and bool(began.get("blinds"))
            self._ended[number] = self._t, self._lost_s, name, blinds
            self._blamed = [*self._blamed[-20:], (self._t, name)]
        elif number in self._ended:
            ended_s, lost_s, _, blinds = self._ended.pop(number)
            self._sighted_s = self._t if blinds else self._sighted_s
            took_s, longest = self._t - ended_s, self._recovery_s
            if number not in self._together:
                longest[name] = max(longest.get(name, 0.0), took_s)
            if took_s - (self._lost_s - lost_s) > self._recover_s:
                self._broken("P7", f"recovery from {name} took {took_s:.1f} s")

    def _on_info_stall(self, line: Line) -> None:
        self._lost_s += float(line["s"])

    def _on_info_fact(self, line: Line) -> None:
        promise, wrong, text = _FACTS[line["op"]]
        if wrong(line):
            self._broken(promise, text.format(**line))

    _on_info_level = _on_info_stopped = _on_info_fact
    _on_info_missed = _on_info_traceback = _on_info_problem = _on_info_fact

    # -- sends

    def _on_invoke_send(self, line: Line) -> None:
        key, body = _key(line), str(line["body"])
        self._asked[key] = body
        if key not in self._sends:
            self._sends[key] = _Send(len(self._sends), body)
            self._sender[body] = key

    def _on_ok_send(self, line: Line) -> None:
        key = _key(line)
        send = self._sends.get(key)
        if send is None or self._asked[key] != send.body:
            self._broken("P2", f"{key[2]} was accepted with a body of no first send")
        elif self._accepted.setdefault(key, (self._t, line["time"]))[1] != line["time"]:
            self._broken("P2", f"{key[2]} was accepted at two times")

    def _on_fail_send(self, line: Line) -> None:
        key, conflict = _key(line), line.get("code") == "conflict"
        same = key in self._sends and self._asked[key] == self._sends[key].body
        if same and (conflict or key in self._accepted):
            self._broken("P2", f"{key[2]} was refused as another message")

    def _on_info_send(self, line: Line) -> None: ...

    # -- what clients get

    def _on_info_open(self, line: Line) -> None:
        self._on_info_back(line)
        self._on_info_resync(line)

    def _on_info_resync(self, line: Line) -> None:
        session = line["user"], line["device"], line["session"]
        self._pushed[session] = {}
        self._gaps.pop(session, None)

    def _on_info_close(self, line: Line) -> None:
        self._on_info_resync(line)
        for pair in [p for p in self._online if p[0] == line["user"]]:
            del self._online[pair]

    def _on_info_expect(self, line: Line) -> None:
        self._expect.append((line["user"], line["device"]))

    def _on_info_push(self, line: Line) -> None:
        session = line["user"], line["device"], line["session"]
        (c, seq), last = _place(line), self._pushed.setdefault(session, {})
        if seq <= (before := last.get(c, 0)):
            how = "twice" if seq == before else f"after {before}"
            self._broken("P4", f"user {line['user']} was pushed {c} {seq} {how}")
        elif 0 < before < seq - 1 and c.startswith("u:"):
            self._gaps.setdefault(session, f"{c} {seq} was pushed after {before}")
        last[c] = max(seq, before)
        self._on_info_page(line)

    def _on_info_event(self, line: Line) -> None:
        # The client drops repeats, so that its program sees each number once.
        c, seq = _place(line)
        last = self._pushed.setdefault((line["user"], line["device"], -1), {})
        if seq != (before := last.get(c, 0)) + 1:
            self._broken("P4", f"user {line['user']}: {c} {seq} came after {before}")
        last[c] = max(seq, before)
        self._on_info_page(line)

    def _on_info_page(self, line: Line) -> None:
        self._delivered += 1
        (c, seq), user = _place(line), int(line["user"])
        if not self._same_for_all(line):
            return
        got = self._got[user, str(line["device"]), c]
        if len(got) <= seq:
            got.extend(bytes(seq + 64 - len(got)))
        key = self._sender.get(str(line["body"]), (user, "", ""))
        if not got[seq] and key in self._accepted and "old" not in line:
            delay_s = self._t - self._accepted[key][0] if key[0] != user else 0.0
            self._delay_s = max(self._delay_s, delay_s)
        got[seq] = 1

    def _same_for_all(self, line: Line) -> bool:
        (c, seq), body = _place(line), str(line["body"])
        if not 0 < seq <= _MOST:
            self._broken("P3", f"{c} has the number {seq}")
            return False
        found = int(line["id"]), body
        if self._seen.setdefault((c, seq), found) != found:
            self._broken("P3", f"{c} {seq} is not the same message for all")
        key = self._sender.get(body)
        if key is None and not line.get("event"):
            self._broken("P1", f"{c} {seq}: nobody sent this message")
        elif key is not None and (key[0] != line["from"] or key[1] != c):
            self._broken("P8", f"{c} {seq} from {line['from']}: {key[0]} sent it")
        return True

    def _on_info_gone(self, line: Line) -> None:
        self._gone[line["user"]] = self._t, self._lost_s

    def _on_info_back(self, line: Line) -> None:
        self._ghosts_of(line["user"])
        self._gone.pop(line["user"], None)

    def _on_info_presence(self, line: Line) -> None:
        watcher, user = line["user"], line["of"]
        if line["online"]:
            self._online[watcher, user] = self._t
        self._ghosts_of(user, watcher)
        if not line["online"]:
            self._online.pop((watcher, user), None)

    def _ghosts_of(self, user: int, watcher: int = 0) -> None:
        """
        Look whether a user who is gone is online for a watcher, or for anybody.
        """
        blind = any(f.get("blinds") for f in self._active.values())
        blind = blind or any(blinds for *_, blinds in self._ended.values())
        gone_s, lost_s = self._gone.get(user, (self._t, self._lost_s))
        allowed_s = self._ghost_s + self._lost_s - lost_s
        late_s = self._t - max(gone_s, self._sighted_s) - allowed_s
        for pair in [p for p in self._online if p[1] == user]:
            if late_s > 0 and watcher in (0, pair[0]) and not blind:
                text = f"{user} was online for {pair[0]} {late_s:.1f} s too long"
                self._broken("P9", text)
                del self._online[pair]

    def _on_final(self, line: Line) -> None:
        c, seq = _place(line)
        if seq in self._stored[c]:
            self._broken("P3", f"{c} has the number {seq} twice")
        if self._same_for_all(line):
            kept = {"from": line["from"], "body": line["body"]}
            changes: Line = {k: line[k] for k in line if k in ("add", "remove")}
            self._stored[c][seq] = {**kept, **changes}

    def _on_end(self, line: Line) -> None:
        for user in list(self._gone):
            self._ghosts_of(user)
        for _, _, name, _ in self._ended.values():
            self._broken("P7", f"no recovery from {name}")
        for began in self._active.values():
            self._broken("P7", f"{began['fault']} did not end")
        for session, gap in self._gaps.items():
            self._broken("P4", f"user {session[0]}: {gap}, and no resync came")
        self._check_stored()
        for c, stored in self._stored.items():
            self._check_numbers(c, stored)
        stays = _stays(self._stored)
        for (user, _, c), got in self._got.items():
            self._check_rights(user, c, got, stays)
        for user, device in self._expect:
            self._check_complete(user, device, stays)

    def _check_stored(self) -> None:
        copies: dict[str, int] = defaultdict(int)
        for stored in self._stored.values():
            for message in stored.values():
                copies[message["body"]] += 1
        for key, send in self._sends.items():
            count = copies.get(send.body, 0)
            if count > 1 or (count < 1 and key in self._accepted):
                what = "was accepted and is" if key in self._accepted else "is"
                self._broken("P1", f"{key[2]} in {key[1]} {what} stored {count} times")
        for c, seq in self._seen:
            if seq not in self._stored[c]:
                self._broken("P1", f"{c} {seq} was delivered and is not stored")

    def _check_numbers(self, c: str, stored: dict[int, Line]) -> None:
        if missing := [n for n in range(1, max(stored, default=0)) if n not in stored]:
            text = f"{c} lacks the number {missing[0]} ({len(missing)} in all)"
            self._broken("P3", text)
        last: dict[int, int] = {}
        for seq in sorted(stored):
            if key := self._sender.get(stored[seq]["body"]):
                sent = self._sends[key].number
                if sent < last.get(key[0], -1):
                    self._broken("P3", f"{c} {seq}: {key[0]} sent it before the last")
                last[key[0]] = sent

    def _check_rights(self, user: int, c: str, got: bytearray, stays: Stays) -> None:
        for seq in (n for n, there in enumerate(got) if there):
            if not _may(stays, user, c, seq):
                self._broken("P8", f"user {user} got {c} {seq} and may not")

    def _check_complete(self, user: int, device: str, stays: Stays) -> None:
        for c, stored in self._stored.items():
            got = self._got.get((user, device, c), b"")
            away = (n for n in stored if n >= len(got) or not got[n])
            if lacks := [n for n in away if _may(stays, user, c, n)]:
                text = f"user {user} ({device}) lacks {c} {lacks[0]}"
                self._broken("P5", f"{text} ({len(lacks)} in all)")


def _stays(stored: dict[str, dict[int, Line]]) -> Stays:
    # Of each user in each group the first and the last number of each stay.
    stays: Stays = defaultdict(list)
    for c, messages in stored.items():
        for seq in sorted(n for n, m in messages.items() if "add" in m):
            for user in map(int, messages[seq]["add"]):
                if not stays[c, user] or stays[c, user][-1][1] < seq:
                    stays[c, user].append((seq, _MOST))
            for user in map(int, messages[seq]["remove"]):
                if stays[c, user] and stays[c, user][-1][1] == _MOST:
                    stays[c, user][-1] = (stays[c, user][-1][0], seq)
    return stays


def _may(stays: Stays, user: int, c: str, seq: int) -> bool:
    if c.startswith("u:"):
        return str(user) in c.split(":")[1:]
    return any(first <= seq <= last for first, last in stays.get((c, user), ()))


def _key(line: Line) -> tuple[int, str, str]:
    return int(line["user"]), str(line["conversation"]), str(line["id"])


def _place(line: Line) -> Place:
    return str(line["conversation"]), int(line["seq"])
