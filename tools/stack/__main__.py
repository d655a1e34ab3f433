"""
The command C{python -m tools.stack}.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tools.stack.packages import StackError
from tools.stack.stack import (
    KINDS,
    Stack,
    default_cache,
    default_data,
    install,
    lacking,
)

_ALL = list(KINDS)


def main(arguments: Sequence[str]) -> int:
    """
    Run a command.

    @return: the exit status; 1 after a failure, whose reason is on standard error.
    """
    options = _options().parse_intermixed_args(arguments)
    began = time.monotonic()
    try:
        _do(options)
    except StackError as e:
        for line in str(e).splitlines():
            print(f"stack: {line}", file=sys.stderr)
        return 1
    if options.command in ("install", "up", "restart"):
        _say(f"{options.command}: {time.monotonic() - began:.1f} s")
    return 0


def _do(options: argparse.Namespace) -> None:
    unknown = set(options.server) - set(_ALL)
    if unknown:
        raise StackError(
            f"unknown server: {' '.join(unknown)}; known: {', '.join(_ALL)}"
        )
    names = [n for n in _ALL if n in options.server] if options.server else _ALL
    if options.installed:
        absent = lacking(default_cache())
        for name in absent:
            _say(f"{name} is not installed ({', '.join(absent[name])})")
        names = [n for n in names if n not in absent]
    stack = Stack(default_cache(), options.data, _say)
    match options.command:
        case "install":
            install(default_cache(), _say)
        case "up":
            if options.free_ports:
                stack.take_free_ports()
            stack.up(names)
        case "down":
            stack.down(names)
        case "kill":
            if not options.server:
                raise StackError(f"name the servers to kill: {', '.join(_ALL)}")
            stack.kill(names)
        case "restart":
            stack.restart(names)
        case "wipe":
            stack.wipe()
        case "status":
            print("\n".join(stack.status()))
        case "env":
            for name, value in stack.environment().items():
                print(f"export {name}={value}")


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.stack",
        description="Kafka, a server with MongoDB's protocol, and Redis on loopback.",
    )
    parser.add_argument(
        "command",
        choices=["install", "up", "down", "kill", "restart", "status", "env", "wipe"],
        help="kill: SIGKILL, the data stays; wipe: down, and remove the data",
    )
    parser.add_argument("server", nargs="*", help=f"{', '.join(_ALL)}; none: all three")
    parser.add_argument(
        "--data",
        type=Path,
        default=default_data(),
        help="directory of the servers' data",
    )
    parser.add_argument(
        "--free-ports", action="store_true", help="use free ports, not the default ones"
    )
    parser.add_argument(
        "--installed", action="store_true", help="skip servers that are not installed"
    )
    return parser


def _say(text: str) -> None:
    print(f"stack: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
