"""
C{wsmsg demo}.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import time
import webbrowser
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NoReturn

import click

from wsmsg.auth.local_key import TokenKeyUnusable, local_key
from wsmsg.cli.demo.daemons import (
    DaemonFailed,
    DemoDaemon,
    Ports,
    demo_daemons,
    last_lines,
)
from wsmsg.cli.demo.people import USERS, DemoTalk, Person, conversation, problems
from wsmsg.cli.demo.script import BadScript, DemoScript, read_script
from wsmsg.cli.paths import WS_PATH, data_dir_of, fail
from wsmsg.cli.say import say
from wsmsg.cli.sign import make_token
from wsmsg.client import Client, Reconnect
from wsmsg.errors import WsmsgError

_PATIENCE_S = 60.0
#: The lifetime of the tokens in the links, in seconds.
_LINK_S = 7 * 86400.0


@click.command()
@click.option("--once", is_flag=True, help="Exit at the end, with status 0 on success.")
@click.option(
    "--script",
    type=click.Path(path_type=Path),
    help="The text to play, with lines like 'Ada: hello'.  [default: a built-in one]",
)
@click.option(
    "--port-base",
    type=click.IntRange(1024, 65530),
    help="First of six ports.  [default: the usual ports; free ports with --once]",
)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for all data.  [default: a temporary folder, removed at the end]",
)
@click.option(
    "--open/--no-open",
    "opens",
    default=True,
    help="Open the first link in a browser, where there is a display.  [default: open]",
)
def demo(
    once: bool,
    script: Path | None,
    port_base: int | None,
    data_dir: Path | None,
    opens: bool,
) -> None:
    """
    Start both daemons and let two users talk over real WebSockets.

    In the middle the demo kills the Message daemon (SIGKILL) and starts it again:
    messages that are written meanwhile are delivered afterwards, none is lost and none
    arrives twice. Then the daemons stay up, for you to chat in a browser or with
    `wsmsg chat`, until Ctrl-C.

    \b
    Examples:
      wsmsg demo
      wsmsg demo --once              exit at the end; for scripts
      wsmsg demo --port-base 31000   while other daemons run on the default ports
    """
    try:
        text = read_script(script)
    except BadScript as error:
        fail(str(error))
    ports = _ports(once, port_base)
    with tempfile.TemporaryDirectory(prefix="wsmsg-demo-") as temporary:
        folder = data_dir.absolute() if data_dir else Path(temporary)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        stage = _Stage(
            text, folder, ports, once=once, keep=data_dir is not None, opens=opens
        )
        try:
            asyncio.run(stage.run())
        except DaemonFailed as error:
            say(str(error), err=True)
            fail("the demo failed")
        except WsmsgError as error:
            say(stage.logs(), err=True)
            fail(f"the demo failed: {error.code}: {error.reason}")


def _ports(once: bool, base: int | None) -> Ports:
    if base is None and once:
        return Ports.free()
    ports = Ports() if base is None else Ports.from_base(base)
    taken = ports.taken()
    if taken:
        fail(
            f"in use: port {', '.join(map(str, taken))} of 127.0.0.1; stop the "
            "process, or choose other ports: wsmsg demo --port-base 31000"
        )
    return ports


class _Stage:
    """
    One run of the demo.
    """

    def __init__(
        self,
        script: DemoScript,
        folder: Path,
        ports: Ports,
        *,
        once: bool,
        keep: bool,
        opens: bool,
    ) -> None:
        self._script = script
        self._folder = folder
        self._ports = ports
        self._once = once
        self._keep = keep
        self._opens = opens
        # Left up, the daemons believe the tokens that `wsmsg chat` makes by itself.
        self._key_dir = folder if once or keep else data_dir_of(None)

        self._played = False

    def logs(self) -> str:
        """
        Return the last lines of both logs.
        """
        logs = (self._folder / f"{name}.log" for name in ("connect", "message"))
        return "\n".join(f"{log}:\n{last_lines(log)}" for log in logs)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        playing = asyncio.create_task(self._play())
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, playing.cancel)
        try:
            await playing
        except asyncio.CancelledError:
            if not self._played:
                fail("interrupted")

    async def _play(self) -> None:
        try:
            secret = local_key(self._key_dir)
        except TokenKeyUnusable as error:
            fail(str(error))
        connect, message = demo_daemons(self._folder, self._ports, secret)
        try:
            await self._start(connect, message)
            await self._talk(secret, message)
            self._played = True
            if not self._once:
                link = self._invite(secret, connect, message)
                if self._opens and _has_display():
                    await asyncio.to_thread(_open, link)
                await asyncio.gather(self._keep_up(connect), self._keep_up(message))
        finally:
            say("\nStopping the daemons.")
            try:
                await connect.stop()
                await message.stop()
            finally:
                connect.kill()
                message.kill()

    async def _start(self, *daemons: DemoDaemon) -> None:
        say("Starting twistd connect, then twistd message (any order works):")
        for daemon in daemons:
            daemon.start()
        for daemon in reversed(daemons):
            await daemon.ready()
            say(f"  {daemon.name} is ready (pid {daemon.pid}, log {daemon.log})")

    async def _talk(self, secret: str, message: DemoDaemon) -> None:
        async with AsyncExitStack() as stack:
            people = [
                await self._person(stack, name, user, secret)
                for name, user in zip(self._script.names, USERS, strict=True)
            ]
            base = max([0, *(p.client.head(conversation()) for p in people)])
            talk = DemoTalk(self._script, people)
            who = " and ".join(f"{p.name} ({p.client.user})" for p in people)
            say(f"\n{who} talk:\n")
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    await self._lines(talk, message)
            except TimeoutError:
                fail(
                    f"messages are missing after {_PATIENCE_S:.0f} s; see {message.log}"
                )
            self._judge(talk, people, base)

    async def _person(
        self, stack: AsyncExitStack, name: str, user: int, secret: str
    ) -> Person:
        url = f"ws://127.0.0.1:{self._ports.client}{WS_PATH}"
        client = Client(
            url,
            lambda: make_token(user, secret, 3600.0, time.time()),
            "demo",
            start="latest",
            reconnect=Reconnect(url, cap_s=1.0),
        )
        await stack.enter_async_context(client)
        person = Person(name, client)
        listening = asyncio.create_task(person.listen())
        stack.callback(listening.cancel)
        await client.caught_up()
        return person

    async def _lines(self, talk: DemoTalk, message: DemoDaemon) -> None:
        lines = list(self._script.lines)
        while lines:
            if not lines[0].away:
                say((await talk.play(lines.pop(0)))[1])
                continue
            away = []
            while lines and lines[0].away:
                away.append(lines.pop(0))
            message.kill()
            say(f"\n  >< message is killed (SIGKILL, pid {message.pid})\n")
            playing = []
            for line in away:
                playing.append(asyncio.create_task(talk.play(line)))
                await asyncio.sleep(0.3)
                name = talk.people[line.speaker].name
                say(f"       {name} writes; not accepted yet")
            say("\n  <> message is started again\n")
            message.start()
            await message.ready()
            for _, text in sorted(await asyncio.gather(*playing)):
                say(text)
            say("")

    def _judge(self, talk: DemoTalk, people: list[Person], base: int) -> None:
        found = [
            f"{person.name}: {problem}"
            for person in people
            for problem in problems(
                talk.sent,
                person.seen,
                base=base,
                user_of=lambda line: USERS[line.speaker],
            )
        ]
        if [m.seq for m in people[0].seen] != [m.seq for m in people[1].seen]:
            found.append("the two users saw different orders")
        if found:
            fail("; ".join(found))
        say(
            f"\nNothing is lost: {len(talk.sent)} messages, numbers {base + 1} to "
            f"{base + len(talk.sent)}, each exactly once and in order on both sides."
        )

    def _invite(self, secret: str, connect: DemoDaemon, message: DemoDaemon) -> str:
        """
        Tell the person what to try.

        @return: the link of the first user.
        """
        more = ""
        if self._ports != Ports():
            more += f" --url ws://127.0.0.1:{self._ports.client}"
        if self._keep:
            more += f" --data-dir {self._folder}"
        say("\nThe daemons stay up. Chat in a browser, each person in a tab:\n")
        tokens = [make_token(user, secret, _LINK_S, time.time()) for user in USERS]
        page = f"http://127.0.0.1:{self._ports.client}/chat#token="
        for name, token in zip(self._script.names, tokens, strict=True):
            say(f"  {name}: {page}{token}\n")
        say("Or in two more terminals:\n")
        say(f"  wsmsg chat --user 1001 --target 1002{more}")
        say(f"  wsmsg chat --user 1002 --target 1001{more}\n")
        say(f"Kill one of them: kill -9 {message.pid}  (or {connect.pid})")
        say("The demo starts it again. Ctrl-C stops everything.")
        return page + tokens[0]

    async def _keep_up(self, daemon: DemoDaemon) -> NoReturn:
        """
        Start a daemon again whenever somebody killed it.

        @raise DaemonFailed: it does not start any more.
        """
        while True:
            how = await daemon.ended()
            say(f"\n  >< {daemon.name} {how}; it is started again")
            daemon.start()
            await daemon.ready()
            say(f"  <> {daemon.name} is ready (kill -9 {daemon.pid})")


def _has_display() -> bool:
    """
    Return whether a browser would have a window.
    """
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _open(link: str) -> None:
    """
    Open a link in the person's browser: C{BROWSER}, or the one of the desktop.
    """
    if not webbrowser.open(link):
        say("No browser could be started; open one of the links.")
