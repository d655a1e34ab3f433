"""
The state of a daemon in words, for people who never saw the system.

C{/readyz}, C{/status}, C{wsmsg status} and the status page show these sentences; nobody
else words the same facts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

import attrs

from wsmsg.dependency.alarms import Alarm
from wsmsg.dependency.state import Snapshot, State
from wsmsg.text.counted import counted

_REASON_CHARACTERS = 300


@attrs.frozen
class Role:
    """
    Sentences about a kind of daemon.

    @ivar ready: what it does while it is ready.
    @ivar waiting: what becomes of its clients and messages while it is not.
    @ivar stopping: the same, while it stops.
    """

    ready: str
    waiting: str
    stopping: str


ROLES = {
    "connect": Role(
        "clients can log in, send and receive",
        "Clients stay connected, and their messages wait.",
        "Clients move to another Connect, or wait for this one.",
    ),
    "message": Role(
        "messages are accepted, stored and delivered",
        "What was accepted is kept; clients keep the rest, and send it again.",
        "What was accepted is kept; clients send the rest to another Message, or wait.",
    ),
}
#: Dependencies as operators know them, by their names, and by what stands before an
#: address.
_NAMES = {"presence": "the presence backend", "registry": "the list of Messages"}
_KINDS = {
    "message": "the Message",
    "redis": "the Redis",
    "discovery": "the discovery",
    "keys": "the list of keys",
    "legacy redis": "the legacy Redis",
    "legacy forwards": "the legacy Redis of forwarded messages",
}
_ANY = Role("serves", "", "")


def readiness_in_words(
    daemon: str,
    *,
    ready: bool,
    phase: str,
    held: str = "",
    missing: Sequence[Snapshot],
    alarms: Sequence[Alarm],
    now_s: float,
) -> str:
    """
    Return the readiness of a daemon, in one or two sentences.

    @param daemon: C{connect} or C{message}.
    @param held: the reason for which it is not ready, whatever its dependencies are.
    @param missing: the dependencies that are not up; if the daemon is not ready, only
        those that it waits for.
    @param now_s: the unix time.
    """
    role = ROLES.get(daemon, _ANY)
    if ready:
        faults = [f"alarm {a.name}: {_short(a.reason)}" for a in alarms]
        faults += [dependency_in_words(s, now_s) for s in missing]
        if not faults:
            return f"Ready: {role.ready}."
        return f"Ready, but degraded: {_first(faults)}."
    if phase != "started":
        then = role.stopping if phase == "stopping" else role.waiting
        return f"Not ready: {phase}. {then}".rstrip()
    if held:
        return f"Not ready: {held}. {role.waiting}".rstrip()
    if not missing:
        return f"Not ready: no Message is known. {role.waiting}".rstrip()
    reasons = [dependency_in_words(s, now_s) for s in missing]
    return f"Not ready: {_first(reasons)}. {role.waiting}".rstrip()


def dependency_in_words(snapshot: Snapshot, now_s: float) -> str:
    """
    Return the state of a dependency, as a clause with its name.

    @param now_s: the unix time.
    """
    name, error = named(snapshot.name), _short(snapshot.last_error)
    because = f": {error}" if error else ""
    match snapshot.state:
        case State.UP:
            return f"{name} is up"
        case State.STOPPED:
            return f"{name} is not needed any more"
        case State.DOWN:
            attempts = counted(snapshot.attempts, "attempt")
            return f"{name} was given up after {attempts}{because}"
        case State.CONNECTING:
            verb = "cannot be reached" if error else "is not reached yet"
            return f"{name} {verb}{because}{_next(snapshot, now_s)}"


def named(name: str) -> str:
    """
    Return the name of a dependency, as a part of a sentence.
    """
    kind, _, address = name.rpartition(" ")
    if kind == "worker":
        return name
    if address in _NAMES:
        return _NAMES[address]
    return f"{_KINDS[kind]} at {address}" if kind in _KINDS else f"the {name}"


def shown_time(seconds: float) -> str:
    """
    Return a unix time as it is shown, in UTC.
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _next(snapshot: Snapshot, now_s: float) -> str:
    if snapshot.next_try_s is None:
        return "; trying now" if snapshot.attempts else ""
    seconds = math.ceil(snapshot.next_try_s - now_s)
    return f"; next try in {seconds} s" if seconds > 0 else "; trying now"


def _short(text: str) -> str:
    short = text[:_REASON_CHARACTERS].rstrip(". ")
    return short + "..." if len(text) > _REASON_CHARACTERS else short


def _first(texts: Sequence[str]) -> str:
    more = len(texts) - 1
    return texts[0] + (f" (and {more} more)" if more else "")
