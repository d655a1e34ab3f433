"""
The context of a trace: the C{traceparent} of W3C Trace Context.

::

    00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
    version      trace id               span id       flags

Only messages that are traced carry one inside of the system, always with version 00 and
the flag C{sampled}: it names the span that comes before what is done next.
U{https://www.w3.org/TR/trace-context/}
"""

from __future__ import annotations

import re
from random import getrandbits
from struct import Struct

#: The characters of a C{traceparent} of version 00.
LENGTH = 55
# A later version may append fields.
_MOST_CHARACTERS = 512
_SAMPLED = 1
_HALVES = Struct(">qq")

_IDS = "(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}"
_ANY = re.compile(rf"(?!ff)([0-9a-f]{{2}})-({_IDS})-([0-9a-f]{{2}})(-.*)?", re.S)
_TRACED = re.compile(rf"00-{_IDS}-01")


def read_traceparent(text: str) -> tuple[str, bool] | None:
    """
    Read what a client sent.

    @return: the same span as all of this system writes it, and whether the client has
        sampled it; L{None}: the text is no C{traceparent}, which W3C asks to ignore.
    """
    found = _ANY.fullmatch(text) if len(text) <= _MOST_CHARACTERS else None
    if found is None:
        return None
    version, ids, flags, more = found.groups()
    if version == "00" and more is not None:
        return None
    return f"00-{ids}-01", bool(int(flags, 16) & _SAMPLED)


def is_traced(text: str) -> bool:
    """
    Return whether this is a C{traceparent} as daemons write it.
    """
    return _TRACED.fullmatch(text) is not None


def new_trace() -> str:
    """
    Return the first span of another trace.
    """
    return f"00-{getrandbits(128) or 1:032x}-{_span_id()}-01"


def child_of(traceparent: str) -> str:
    """
    Return another span of the trace.
    """
    return f"{traceparent[:36]}{_span_id()}-01"


def trace_id_of(traceparent: str) -> str:
    """
    Return the id of the trace, in hexadecimal digits.
    """
    return traceparent[3:35]


def ids_of(traceparent: str) -> tuple[int, int]:
    """
    Return the ids of the trace and of the span.

    @raise ValueError: the text is no C{traceparent}.
    """
    return int(traceparent[3:35], 16), int(traceparent[36:52], 16)


def halves_of(traceparent: str) -> tuple[int, int]:
    """
    Return the halves of the id of the trace, as integers with a sign.
    """
    high, low = _HALVES.unpack(bytes.fromhex(traceparent[3:35]))
    return high, low


def trace_id_in(high: int, low: int) -> str:
    """
    Return the id of the trace that has these halves.
    """
    return _HALVES.pack(high, low).hex()


def _span_id() -> str:
    return f"{getrandbits(64) or 1:016x}"
