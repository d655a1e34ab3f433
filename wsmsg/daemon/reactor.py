"""
The asyncio reactor, which both daemons need because gRPC runs on an asyncio loop, with
monotonic seconds.

Twisted's reactor counts its seconds by the system clock: if that is set back by a
minute, every timer is a minute late.  In the daemons C{reactor.seconds} is monotonic,
so timers, limits and leases go on as if nobody had set the clock.  Monotonic seconds
tell no date: code that stamps something with the time takes a C{unix_s}, which is
L{time.time}.

Nothing may import C{twisted.internet.reactor} before L{install_asyncio} runs: the first
import installs the platform's default reactor.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet import asyncioreactor

from wsmsg.monitoring.measures.histogram import Histogram
from wsmsg.monitoring.measures.turns import SampledTurns, TimedSelector

#: Monotonic seconds.  On Linux they count the time for which a machine is suspended: a
#: Message that wakes must know that its leases have expired meanwhile.
monotonic_s: Callable[[], float] = (
    partial(time.clock_gettime, time.CLOCK_BOOTTIME)
    if hasattr(time, "CLOCK_BOOTTIME")
    else time.monotonic
)


#: The variable of the environment that names the event loop.
LOOP = "WSMSG_LOOP"


class WrongReactor(Exception):
    """
    A reactor other than asyncio's is installed, or its loop cannot be made.
    """


def install_asyncio() -> None:
    """
    Install the asyncio reactor if none is installed, make its seconds monotonic, and
    silence gRPC, which is loaded later.

    @raise WrongReactor: with a sentence that tells the operator what to do.
    """
    # gRPC writes a line about each lost connection to stderr, past the log; the
    # dependency of the stream logs the loss.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    installed = sys.modules.get("twisted.internet.reactor")
    if installed is None:
        # From Python 3.14 on, asking asyncio for the current loop fails if there is
        # none yet.
        loop, turns = new_loop()
        asyncio.set_event_loop(loop)
        asyncioreactor.install(loop)
        vars(sys.modules["twisted.internet.reactor"]).update(turns=turns)
    elif not isinstance(installed, asyncioreactor.AsyncioSelectorReactor):
        raise WrongReactor(
            f"{type(installed).__name__} is installed, and gRPC needs the asyncio "
            "reactor; omit twistd's --reactor option, or use --reactor=asyncio"
        )
    make_monotonic(sys.modules["twisted.internet.reactor"])


def turns_of(reactor: Any) -> Histogram | None:
    """
    Return the durations of the turns of a reactor; L{None}: L{install_asyncio} has not
    installed it, as twistd did so already.
    """
    turns: Histogram | None = vars(reactor).get("turns")
    return turns


def new_loop() -> tuple[asyncio.AbstractEventLoop, Histogram]:
    """
    Return an event loop and the durations of its turns: Python's, or that of uvloop
    where C{WSMSG_LOOP} in the environment says so.

    @raise WrongReactor: there is no such loop.
    """
    name = os.environ.get(LOOP, "") or "asyncio"
    if name == "asyncio":
        selector = TimedSelector()
        return asyncio.SelectorEventLoop(selector), selector.turns
    if name != "uvloop":
        raise WrongReactor(f"{LOOP} is {name!r}; it may be asyncio or uvloop")
    try:
        import uvloop
    except ImportError:
        raise WrongReactor(
            f"{LOOP} is uvloop, which is not installed: pip install 'wsmsg[fast]'"
        ) from None
    loop = uvloop.new_event_loop()
    sampled = SampledTurns(loop.call_later)
    sampled.begin()
    return loop, sampled.turns


def make_monotonic(reactor: Any) -> None:
    """
    Have a reactor count its seconds by the monotonic clock.  Calls that are due keep
    their delays.
    """
    old, reactor.seconds = reactor.seconds, monotonic_s
    for call in reactor.getDelayedCalls():
        left_s = call.getTime() - old()
        call.seconds = monotonic_s
        call.reset(max(0.0, left_s))


def handle_stops(reactor: Any, stop: Callable[[int, Any], object]) -> None:
    """
    Have a reactor that does not run yet install C{stop} for SIGTERM and SIGINT when it
    begins to run, in place of functions after which twistd ends by the signal.
    """
    vars(reactor).update(sigTerm=stop, sigInt=stop)
