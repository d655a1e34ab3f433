"""
Traces one message through both daemons, function by function::

    python tools/trace_message.py            print counts
    python tools/trace_message.py --calls    print each call as well

Both daemons run with a profile hook; one user sends messages to another, one at a
time.  A call counts if it is made for every one of the last messages, so that timers
do not, and neither does the selector of the loop, which measures its turns.
L{tools.trace_rules} explains where a message comes back to a module.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Container, Coroutine, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from tools.trace_rules import Call, returns

T = TypeVar("T")

ROOT = Path(__file__).resolve().parent.parent
MESSAGES = 20
WARM_UP = 4

_DAEMON = """
import atexit, json, sys, threading, time
threads, turns = {}, [0]
def hook(frame, event, argument):
    if event != "call" and event != "return":
        return
    code = frame.f_code
    _, found, path = code.co_filename.rpartition("/wsmsg/")
    if not found or path.startswith(("rpc/", "monitoring/measures/turns.py")):
        return
    calls, stack = threads.setdefault(thread := threading.get_ident(), ([], []))
    if event == "return":
        if stack and stack[-1] is frame:
            stack.pop()
        return
    if not stack:
        turns[0] += 1
    method = code.co_varnames[:1] == ("self",) and "self" in frame.f_locals
    receiver = id(frame.f_locals["self"]) if method else 0
    call = [time.monotonic(), thread, path, code.co_qualname, len(stack), turns[0],
            receiver]
    calls.append(call)
    stack.append(frame)
path = sys.argv[1]
def write():
    sys.setprofile(None)
    with open(path, "w") as file:
        json.dump(sorted(c for calls, _ in threads.values() for c in calls), file)
del sys.argv[1]
atexit.register(write)
threading.setprofile(hook)
sys.setprofile(hook)
from twisted.scripts.twistd import run
run()
"""


class Counts(NamedTuple):
    """
    Counts for one message.

    @ivar files: modules of the package, in both daemons.
    @ivar calls: of their functions.
    """

    files: int
    functions: int
    calls: int
    pauses: int
    branches: int
    answers: int
    values: int
    unexplained: int


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
    Return the calls of one message, in their order, without those of timers: of the
    message with the most turns, as the others had steps that were batched together.

    @param spans: of the messages; a function that one of them does not call is not for
        it.
    """
    runs = [[c for c in calls if a <= c.at_s <= b] for a, b in spans]
    always = set.intersection(*({(c.path, c.name) for c in run} for run in runs))
    runs = [list(_called_by(run, always)) for run in runs]
    return max(runs, key=lambda run: len({c.turn for c in run}))


def _called_by(
    run: Sequence[Call], functions: Container[tuple[str, str]]
) -> Iterator[Call]:
    """
    Yield the calls that only functions of a set lead to: what a timer calls is not a
    call of the message, even if the message calls the same function too.
    """
    outside: dict[int, Call] = {}
    for call in run:
        other = outside.get(call.thread)
        if other and call.turn == other.turn and call.depth > other.depth:
            continue
        outside.pop(call.thread, None)
        if (call.path, call.name) in functions:
            yield call
        else:
            outside[call.thread] = call


def by_thread(calls: Sequence[Call]) -> list[list[Call]]:
    """
    Return the calls of each thread.
    """
    return [[c for c in calls if c.thread == t] for t in {c.thread for c in calls}]


def counts_of(daemons: dict[str, list[Call]]) -> Counts:
    """
    Count what a message needs in both daemons.
    """
    calls = [c for found in daemons.values() for c in found]
    threads = chain.from_iterable(by_thread(found) for found in daemons.values())
    rules = Counter(rule for thread in threads for _, rule in returns(thread))
    return Counts(
        len({c.path for c in calls}),
        len({(c.path, c.name) for c in calls}),
        len(calls),
        rules["pause"],
        rules["branch"],
        rules["answer"],
        rules["value"],
        rules["unexplained"],
    )


def talked(
    folder: Path,
    start: Callable[..., subprocess.Popen[bytes]],
    talk: Callable[[str, Sequence[str]], Coroutine[Any, Any, T]],
) -> T:
    """
    Run both daemons until two users have talked.

    @param start: starts a daemon, as L{start}.
    @param talk: called with the URL of Connect and the tokens of users 1001 and 1002.
    @return: what it returns.
    """
    import jwt

    from wsmsg.auth.local_key import local_key
    from wsmsg.bench.processes import free_ports

    ports = [f"127.0.0.1:{port}" for port in free_ports(2)]
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
        return asyncio.run(talk(f"ws://{ports[1]}/api/v1/connect/ws", tokens))
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            process.wait(30)


def traced(folder: Path) -> dict[str, list[Call]]:
    """
    Run both daemons and return the calls that one message needs in each.
    """
    spans = talked(folder, start, talk)
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
        rules = dict(chain.from_iterable(map(returns, by_thread(calls))))
        for call in calls:
            rule = rules.get(call, "")
            if options.calls or rule == "unexplained":
                indent = "  " * call.depth
                print(f"{name} {rule:11} {indent}{call.path} {call.name}")
    print(counts_of(daemons))
    return 0


if __name__ == "__main__":
    sys.exit(main())
