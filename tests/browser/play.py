"""
Programs of Node that drive Chromium, and ask for daemons to be killed and started.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from tests.integration.cases import IntegrationTestCase
from tools.typescript import PACKAGE

#: Screenshots, for people to look at.
SHOTS = Path(__file__).resolve().parent.parent.parent / "build" / "screenshots"

Wish = Callable[[], Awaitable[object]]


async def play(
    case: IntegrationTestCase,
    program: str,
    *arguments: str,
    wishes: Mapping[str, Wish] | None = None,
) -> None:
    """
    Run a program, and fail the test unless it says at last that all is well.

    The program writes what it wants as lines such as C{kill connect}, and reads a line
    when that is done.

    @param program: below C{clients/typescript/build}, without its suffix.
    @param wishes: by their lines, besides the killing and starting of each daemon.
    """
    process = await asyncio.create_subprocess_exec(
        *("node", f"build/{program}.js", *arguments),
        cwd=PACKAGE,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    case.at_end(lambda: _ended(process))
    known = dict(wishes or {})
    for name in ("connect", "message"):
        daemon = getattr(case.installation, name)
        known |= {f"kill {name}": daemon.kill, f"start {name}": daemon.start}
    told: list[str] = []
    assert process.stdout and process.stdin and process.stderr
    async for line in process.stdout:
        told.append(line.decode().strip())
        if told[-1] in known:
            await known[told[-1]]()
            process.stdin.write(b"done\n")
    errors = (await process.stderr.read()).decode()
    case.assertEqual(await process.wait(), 0, f"{told}\n{errors}")
    case.assertEqual(told[-1], "all is well")
    print("; ".join(told))


def tokens(case: IntegrationTestCase, *users: int) -> list[str]:
    """
    Return a token for each user, as the programs take them: C{USER=TOKEN}.
    """
    return [f"{user}={case.installation.token(user)}" for user in users]


async def _ended(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()
