"""
The C{wsmsg} command.  A command's module is imported when it is called: the help
needs none of them.
"""

from __future__ import annotations

import importlib

import click

from wsmsg import __version__

#: Name, module and attribute, and what the overview says.
COMMANDS: dict[str, tuple[str, str]] = {
    "chat": (
        "wsmsg.cli.chat.chat:chat",
        "Talk to a user or a group, or send lines from a pipe.",
    ),
    "groups": ("wsmsg.cli.groups:groups", "Make groups, and change who is in them."),
    "demo": (
        "wsmsg.cli.demo.demo:demo",
        "See it work: both daemons, two users, one crash.",
    ),
    "token": ("wsmsg.cli.token:token", "Make a token for a user."),
    "status": ("wsmsg.cli.status:status", "What both daemons say of themselves."),
    "doctor": (
        "wsmsg.cli.doctor.doctor:doctor",
        "Find what is missing, and what to do.",
    ),
    "check-config": (
        "wsmsg.cli.check_config:check_config",
        "Check a settings file; starts nothing.",
    ),
    "dead-letters": (
        "wsmsg.cli.dead_letters:dead_letters",
        "Look at records that could not be processed, and replay them.",
    ),
    "export": ("wsmsg.cli.export:export", "Write a whole store to a file."),
    "import": ("wsmsg.cli.import_:import_", "Put such a file into another store."),
    "bench": ("wsmsg.cli.bench:bench", "Measure it, beside a bare echo server."),
    "completion": (
        "wsmsg.cli.main:completion",
        "Have the shell complete this command.",
    ),
}


SHELLS = ("bash", "zsh", "fish")


class LazyGroup(click.Group):
    """
    A group whose commands are named, not imported.
    """

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


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="wsmsg")
def main() -> None:
    """
    Messages between people that do not get lost.

    \b
    The daemons are started by twistd:
      twistd -n message
      twistd -n connect
    \b
    Then, in two terminals:
      wsmsg chat --user 1001 --target 1002
      wsmsg chat --user 1002 --target 1001

    Or all of it at once: wsmsg demo

    Exit statuses: 0 it is done, 1 it failed (the reason is on stderr), 2 the command
    line is wrong.
    """


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """
    Print what makes a shell complete this command.

    \b
    Examples:
      wsmsg completion bash > ~/.local/share/bash-completion/completions/wsmsg
      wsmsg completion zsh  > ~/.zfunc/_wsmsg
      wsmsg completion fish > ~/.config/fish/completions/wsmsg.fish
    """
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(main, {}, "wsmsg", "_WSMSG_COMPLETE").source())
