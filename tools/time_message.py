"""
Times one message through both daemons, step by step::

    python tools/time_message.py                200 messages, 100 ms apart
    python tools/time_message.py --markdown     the same, as the table of the docs

Both daemons run on the embedded backends, with a time stamp at the functions of
L{STEPS} and nowhere else.  The monotonic clock is the same in all processes of a
machine, so the stamps of both daemons and of the two clients are compared as they
stand.  The medians of all messages are printed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from tools.trace_message import ROOT, connected, heard, talked

WARM_UP = 20
#: The most seconds that the start may take.
_STARTS_S = 60


class Step(NamedTuple):
    """
    A step of the way.

    @ivar where: the daemon, or the client.
    @ivar function: its module below C{wsmsg}, its class and name.
    @ivar end: whether the step is at the end of the function.
    """

    where: str
    text: str
    function: str = ""
    end: bool = False


#: The steps of a message and its answer, in their order.
STEPS = (
    Step("client", "The sender's program writes the frame."),
    Step(
        "Connect",
        "The loop has the bytes.",
        "connect.websocket.connection:WebSocketConnection.dataReceived",
    ),
    Step(
        "Connect",
        "The send is checked and queued.",
        "connect.upstream.pending_sends:PendingSends.send",
        end=True,
    ),
    Step(
        "Connect",
        "The frame for the stream is made.",
        "connect.upstream.stream:UpstreamStream.drain",
        end=True,
    ),
    Step(
        "Message",
        "gRPC hands the frame over.",
        "message.links.stream:LinkStream._received",
    ),
    Step(
        "Message",
        "The send is admitted and given to the store's thread.",
        "message.store.sqlite.store:SqliteStore.insert",
        end=True,
    ),
    Step(
        "store",
        "The thread begins the transaction.",
        "message.store.sqlite.file:StoreWriter.insert",
    ),
    Step(
        "store",
        "The transaction is on the disk.",
        "message.store.sqlite.file:StoreWriter.insert",
        end=True,
    ),
    Step(
        "Message",
        "The loop has the result, and the answer is queued.",
        "message.links.link:Link.results",
    ),
    Step(
        "Message",
        "The frame with answer and push is made.",
        "message.links.link:Link.next_frame",
        end=True,
    ),
    Step(
        "Connect",
        "gRPC hands the frame over.",
        "connect.upstream.stream:UpstreamStream.messageReceived",
    ),
    Step(
        "Connect",
        "The answer is in the sender's outbox.",
        "connect.session.session:Session.finish_send",
        end=True,
    ),
    Step(
        "Connect",
        "The message is in the outboxes of both users.",
        "connect.session.registry:Registry.push",
        end=True,
    ),
    Step("client", "The sender's program has `accepted`."),
    Step("client", "The recipient's program has the message."),
)

_DAEMON = """
import atexit, functools, importlib, json, sys, time
path, steps = sys.argv[1], json.loads(sys.argv[2])
del sys.argv[1:3]
stamps, clock = [], time.monotonic
def stamped(function, begin, end):
    @functools.wraps(function)
    def call(*args, **kwargs):
        if begin is not None:
            stamps.append((begin, clock()))
        result = function(*args, **kwargs)
        if end is not None and result is not None or end in always:
            stamps.append((end, clock()))
        return result
    return call
always = {number for number, _, _ in steps}
by_function = {}
for number, function, end in steps:
    by_function.setdefault(function, [None, None])[end] = number
    if function.endswith((".drain", ".next_frame")):
        always.discard(number)  # None: there was nothing to write
for function, (begin, end) in by_function.items():
    module, _, name = function.partition(":")
    owner = importlib.import_module("wsmsg." + module)
    *classes, method = name.split(".")
    for name in classes:
        owner = getattr(owner, name)
    setattr(owner, method, stamped(getattr(owner, method), begin, end))
def write():
    with open(path, "w") as file:
        json.dump(stamps, file)
atexit.register(write)
from twisted.scripts.twistd import run
run()
"""


def start(folder: Path, name: str, *options: str) -> subprocess.Popen[bytes]:
    """
    Start a daemon that writes its time stamps into C{folder} at its end.
    """
    steps = [
        (number, step.function, step.end)
        for number, step in enumerate(STEPS)
        if step.function.startswith(name)
    ]
    return subprocess.Popen(
        [
            *(sys.executable, "-c", _DAEMON, str(folder / f"{name}.json")),
            *(json.dumps(steps), "-n", "--pidfile=", name, f"--data-dir={folder}"),
            *options,
        ],
        stdout=(folder / f"{name}.log").open("wb"),
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


async def talk(
    url: str, tokens: Sequence[str], messages: int, apart_s: float
) -> list[list[tuple[int, float]]]:
    """
    Send messages one at a time.

    @return: the stamps of the clients for each message.
    """
    sender, recipient = [
        await connected(url, user, token)
        for user, token in zip((1001, 1002), tokens, strict=True)
    ]
    last = len(STEPS) - 1
    found = []
    for i in range(WARM_UP + messages):
        await asyncio.sleep(apart_s)
        message = {"client_id": f"time-{i}", "to": 1002, "content": "hello"}
        data = json.dumps({"type": "send", **message})

        async def stamp(socket_: Any, kind: str) -> tuple[float, dict[str, Any]]:
            frame = await heard(socket_, kind)
            return time.monotonic(), frame

        began = time.monotonic()
        await sender.send(data)
        (accepted, _), (delivered, frame) = await asyncio.gather(
            stamp(sender, "accepted"), stamp(recipient, "deliver")
        )
        found.append([(0, began), (last - 1, accepted), (last, delivered)])
        cursor = {k: frame[k] for k in ("conversation", "seq")}
        await recipient.send(json.dumps({"type": "delivered", **cursor}))
    await sender.close()
    await recipient.close()
    return found[WARM_UP:]


def timed(folder: Path, messages: int, apart_s: float) -> list[float]:
    """
    Run both daemons, and return when each step was, in milliseconds after the first.
    """
    limit_s = _STARTS_S + 2 * messages * apart_s

    async def bounded(url: str, tokens: Sequence[str]) -> list[list[tuple[int, float]]]:
        return await asyncio.wait_for(talk(url, tokens, messages, apart_s), limit_s)

    clients = talked(folder, start, bounded)
    stamps = [
        (int(number), float(at))
        for name in ("connect", "message")
        for number, at in json.loads((folder / f"{name}.json").read_text())
    ]
    return medians(stamps, clients)


def medians(
    stamps: Sequence[tuple[int, float]], clients: Sequence[list[tuple[int, float]]]
) -> list[float]:
    """
    Return the median time of each step, in milliseconds after the first.

    @param clients: the stamps of the clients for each message; of a step that a daemon
        made several times meanwhile, the first after the step before counts.
    """
    rows: list[list[float]] = [[] for _ in STEPS]
    for own in clients:
        began, ended = own[0][1], max(at for _, at in own)
        within = sorted((at, n) for n, at in stamps if began <= at <= ended)
        times = dict(own)
        after = began
        for number in range(1, len(STEPS) - 2):
            at = next((t for t, n in within if n == number and t >= after), None)
            if at is None:
                raise SystemExit(f"a message did not pass: {STEPS[number].function}")
            times[number] = after = at
        for number, at in times.items():
            rows[number].append((at - began) * 1000)
    return [median(row) for row in rows]


def main() -> int:
    """
    Time messages, and print the medians.
    """
    parser = argparse.ArgumentParser(description="Time one message.")
    parser.add_argument("--messages", type=int, default=200)
    parser.add_argument("--apart", type=float, default=0.1, help="seconds between them")
    parser.add_argument("--markdown", action="store_true", help="print a table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        at_ms = timed(Path(folder), options.messages, options.apart)
    steps_ms = [0.0, *(b - a for a, b in pairwise(at_ms))]
    if options.markdown:
        print("| ms | more | where | step |\n| --- | --- | --- | --- |")
    for step, at, more in zip(STEPS, at_ms, steps_ms, strict=True):
        cells = f"{at:.2f}", f"{more:.2f}", step.where, step.text
        if options.markdown:
            print(f"| {' | '.join(cells)} |")
        else:
            print("{:>6} {:>6}  {:8} {}".format(*cells))
    return 0


if __name__ == "__main__":
    sys.exit(main())
