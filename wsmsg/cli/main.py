"""
The C{wsmsg} command.  The module of a command is imported when the command runs, so
that the help imports none of them.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
from typing import Any, NoReturn

import click

from wsmsg import __version__
from wsmsg.cli.say import harmless_errors, say

#: By name: module and attribute, and the line in the overview.
COMMANDS: dict[str, tuple[str, str]] = {
    "chat": (
        "wsmsg.cli.chat.chat:chat",
        "Talk to a user or a group, or send lines from a pipe.",
    ),
    "groups": ("wsmsg.cli.groups:groups", "Create groups, and change their members."),
    "blocks": ("wsmsg.cli.people.blocks:blocks", "Block users, and list the blocks."),
    "demo": (
        "wsmsg.cli.demo.demo:demo",
        "Run a demo: both daemons, two users, one crash.",
    ),
    "token": (
        "wsmsg.cli.token.token:token",
        "Print a token for a user, or explain a token.",
    ),
    "key": (
        "wsmsg.cli.key.key:key",
        "Make, list and revoke API keys of services.",
    ),
    "status": ("wsmsg.cli.status:status", "Show the status of both daemons."),
    "drain": (
        "wsmsg.cli.drain:drain",
        "Have all clients of a Connect move to others.",
    ),
    "rebalance": (
        "wsmsg.cli.drain:rebalance",
        "Move the clients above a Connect's share to others.",
    ),
    "doctor": (
        "wsmsg.cli.doctor.doctor:doctor",
        "Find problems of an installation, with remedies.",
    ),
    "check-config": (
        "wsmsg.cli.check_config:check_config",
        "Check a settings file without starting a daemon.",
    ),
    "dead-letters": (
        "wsmsg.cli.dead_letters:dead_letters",
        "List and replay records that could not be processed.",
    ),
    "journal": (
        "wsmsg.cli.journal.journal:journal",
        "Give the journal in Kafka another number of partitions.",
    ),
    "where": (
        "wsmsg.cli.where.where:where",
        "Show what became of a message.",
    ),
    "users": (
        "wsmsg.cli.users.users:users",
        "End the sessions of a user, and revoke tokens.",
    ),
    "export": ("wsmsg.cli.export:export", "Export a store to a file."),
    "import": (
        "wsmsg.cli.import_:import_",
        "Load an exported file into another store.",
    ),
    "store": (
        "wsmsg.cli.store:store_",
        "Say that an older copy of the store was restored.",
    ),
    "bench": (
        "wsmsg.cli.bench.bench:bench",
        "Measure throughput, latency, CPU and memory.",
    ),
    "prove": (
        "wsmsg.cli.prove.prove:prove",
        "Inject faults under load, and check the promises.",
    ),
    "completion": (
        "wsmsg.cli.main:completion",
        "Print a script for completion in the shell.",
    ),
}


#: The errors of writing to a full disk, or to a pipe that nobody reads.
_NOT_WRITTEN = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)

SHELLS = ("bash", "zsh", "fish")


class LazyGroup(click.Group):
    """
    A group of commands that are imported on demand.
    """

    def main(self, *args: Any, **extra: Any) -> Any:
        """
        Run a command.  If a file or its output cannot be written, end with a line that
        says so; silently, if nobody reads the output any more.
        """
        try:
            try:
                return super().main(*args, **extra)
            finally:
                if sys.stdout is not None:
                    sys.stdout.flush()
        except OSError as e:
            if e.errno not in _NOT_WRITTEN:
                raise
            if e.filename is not None:
                say(f"Error: {e.filename}: {e.strerror}", err=True)
                sys.exit(1)
            _end_without_output(e)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with harmless_errors():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        with harmless_errors():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _end_without_output(error: OSError) -> NoReturn:
    # Python writes what is left at its end, and would complain once more.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if error.errno != errno.EPIPE:
        say(f"Error: the output cannot be written: {error.strerror}", err=True)
    sys.exit(1)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="wsmsg")
def main() -> None:
    """
    An instant-messaging backend that loses no message.

    \b
    twistd starts the daemons:
      twistd -n message
      twistd -n connect
    \b
    Then, in two terminals:
      wsmsg chat --user 1001 --target 1002
      wsmsg chat --user 1002 --target 1001

    Or try all of it at once: wsmsg demo

    Exit statuses: 0 success, 1 failure (with the reason on stderr), 2 mistake in the
    command line.
    """


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """
    Print a shell script that completes this command.

    \b
    Examples:
      wsmsg completion bash > ~/.local/share/bash-completion/completions/wsmsg
      wsmsg completion zsh  > ~/.zfunc/_wsmsg
      wsmsg completion fish > ~/.config/fish/completions/wsmsg.fish
    """
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    assert made is not None
    say(made(main, {}, "wsmsg", "_WSMSG_COMPLETE").source())
