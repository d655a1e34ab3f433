"""
Traces one message through both daemons, function by function::

    python tools/trace_message.py            print counts
    python tools/trace_message.py --calls    print each call as well

Both daemons run with a profile hook; one user sends messages to another, one at a
time.  A call counts if it is made for every one of the last messages, so that timers
do not.  A I{return} is a call into a file that the message had left; it is a pause
where the event loop makes it (the message waited for a disk, a socket or a batch),
and a pull where a frame further out asked for data.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
MESSAGES = 20
WARM_UP = 4

_DAEMON = """
import atexit, json, sys, threading, time
calls = []
def hook(frame, event, argument):
    if event == "call":
        code = frame.f_code
        _, found, path = code.co_filename.rpartition("/wsmsg/")
        if found and not path.startswith("rpc/"):
            outer, depth = frame.f_back, 0
            while outer is not None:
                depth += "/wsmsg/" in outer.f_code.co_filename
                outer = outer.f_back
            calls.append((time.monotonic(), threading.get_ident(), path,
                          code.co_qualname, depth))
path = sys.argv[1]
def write():
    sys.setprofile(None)
    with open(path, "w") as file:
        json.dump(calls, file)
del sys.argv[1]
atexit.register(write)
threading.setprofile(hook)
sys.setprofile(hook)
from twisted.scripts.twistd import run
run()
"""


class Call(NamedTuple):
    """
    A call of a function of the package.

    @ivar depth: how many functions of the package are around it; 0: the event loop,
        or a library, made the call.
    """

    at_s: float
    thread: int
    path: str
    name: str
    depth: int


class Counts(NamedTuple):
    """
    Counts for one message.
    """

    files: int
    functions: int
    pauses: int
    pulls: int


def free_port() -> int:
    """
    Return a port of loopback that is free now.
    """
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def start(folder: Path, name: str, *options: str) -> subprocess.Popen[bytes]:
    """
    Start a daemon that writes its calls into C{folder} at its end.
    """
    return subprocess.Popen(
        [
            *(sys.executable, "-c", _DAEMON, str(folder / f"{name}.json")),
            *("-n", "--pidfile=", name, f"--data-dir={folder}", *options),
        ],
        stdout=(folder / f"{name}.log").open("wb"),
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


async def connected(url: str, user: int, token: str) -> Any:
    """
    Return a WebSocket of a user who has been welcomed; the daemons may be starting.
    """
    from websockets.asyncio.client import connect
    from websockets.typing import Subprotocol

    for _ in range(300):
        try:
            socket_ = await connect(
                url,
                subprotocols=[Subprotocol("wsmsg.v1.json")],
                additional_headers={"Authorization": f"Bearer {token}"},
            )
        except OSError:
            await asyncio.sleep(0.1)
            continue
        await socket_.send(json.dumps({"type": "hello", "device": f"trace {user}"}))
        if json.loads(await socket_.recv())["type"] == "welcome":
            return socket_
        await socket_.close()
        await asyncio.sleep(0.1)
    raise SystemExit("Connect did not welcome a client; see its log")


async def heard(socket_: Any, kind: str) -> dict[str, Any]:
    """
    Return the next frame of a kind.
    """
    while True:
        frame: dict[str, Any] = json.loads(await socket_.recv())
        if frame["type"] == kind:
            return frame


async def talk(url: str, tokens: Sequence[str]) -> list[tuple[float, float]]:
    """
    Send messages one at a time.

    @return: of each, when it was sent and when it was done with, in seconds of the
        monotonic clock.
    """
    sender, recipient = [
        await connected(url, user, token)
        for user, token in zip((1001, 1002), tokens, strict=True)
    ]
    spans = []
    for i in range(WARM_UP + MESSAGES):
        await asyncio.sleep(0.5)
        began = time.monotonic()
        message = {"client_id": f"trace-{i}", "to": 1002, "content": "hello"}
        await sender.send(json.dumps({"type": "send", **message}))
        await heard(sender, "accepted")
        delivered = await heard(recipient, "deliver")
        await asyncio.sleep(0.03)  # until the push is acknowledged
        spans.append((began, time.monotonic()))
        cursor = {k: delivered[k] for k in ("conversation", "seq")}
        await recipient.send(json.dumps({"type": "delivered", **cursor}))
    await sender.close()
    await recipient.close()
    return spans[WARM_UP:]


def message_calls(
    calls: Sequence[Call], spans: Sequence[tuple[float, float]]
) -> list[Call]:
    """
    Return the calls of one message, in their order, without those of timers.

    @param spans: of the messages; a call that one of them lacks is not for it.
    """
    runs = [[c for c in calls if a <= c.at_s <= b] for a, b in spans]
    made = [Counter((c.path, c.name) for c in run) for run in runs]
    always = Counter(made[0])
    for counter in made[1:]:
        always &= counter
    shortest = min(runs, key=len)
    left, found = Counter(always), []
    for call in shortest:
        key = (call.path, call.name)
        if left[key]:
            left[key] -= 1
            found.append(call)
    return found


def returns(calls: Sequence[Call]) -> Iterator[Call]:
    """
    Yield the calls into a file that the message had left.
    """
    last, seen = "", set()
    inside: list[tuple[int, str]] = []
    for call in calls:
        while inside and inside[-1][0] >= call.depth:
            inside.pop()
        around = {path for _, path in inside}
        if call.path != last and call.path in seen and call.path not in around:
            yield call
        inside.append((call.depth, call.path))
        seen.add(call.path)
        last = call.path


def counts_of(daemons: dict[str, list[Call]]) -> Counts:
    """
    Count what a message needs in both daemons.
    """
    calls = [c for found in daemons.values() for c in found]
    threads = [
        [c for c in found if c.thread == thread]
        for found in daemons.values()
        for thread in {c.thread for c in found}
    ]
    again = [c for thread in threads for c in returns(thread)]
    return Counts(
        len({c.path for c in calls}),
        len({(c.path, c.name) for c in calls}),
        sum(c.depth == 0 for c in again),
        sum(c.depth > 0 for c in again),
    )


def traced(folder: Path) -> dict[str, list[Call]]:
    """
    Run both daemons and return the calls that one message needs in each.
    """
    import jwt

    from wsmsg.auth.local_key import local_key

    ports = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    common = ("--admin-listen=", "--log-level=error")
    running = [
        start(folder, "message", "--listen=", f"--rpc-listen={ports[0]}", *common),
        start(
            *(folder, "connect", f"--listen={ports[1]}", "--rpc-listen="),
            *("--set", f"discovery=static:{ports[0]}", *common),
        ),
    ]
    try:
        key = local_key(folder)
        claims = ({"sub": u, "exp": int(time.time()) + 600} for u in ("1001", "1002"))
        tokens = [jwt.encode(c, key, "HS256") for c in claims]
        spans = asyncio.run(talk(f"ws://{ports[1]}/api/v1/connect/ws", tokens))
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            process.wait(30)
    found = {}
    for name in ("connect", "message"):
        rows = json.loads((folder / f"{name}.json").read_text())
        found[name] = message_calls([Call(*row) for row in rows], spans)
    return found


def main() -> int:
    """
    Trace a message and print what it needs.
    """
    parser = argparse.ArgumentParser(description="Trace one message.")
    parser.add_argument("--calls", action="store_true", help="print each call")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        daemons = traced(Path(folder))
    for name, calls in daemons.items():
        again = set()
        for thread in {c.thread for c in calls}:
            again |= set(returns([c for c in calls if c.thread == thread]))
        for call in calls if options.calls else ():
            mark = ("pause", "pull ")[call.depth > 0] if call in again else "     "
            print(f"{name} {mark} {'  ' * call.depth}{call.path} {call.name}")
    print(counts_of(daemons))
    return 0


if __name__ == "__main__":
    sys.exit(main())
