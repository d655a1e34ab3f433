"""
C{wsmsg completion}.
"""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


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
    from wsmsg.cli.main import main

    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(main, {}, "wsmsg", "_WSMSG_COMPLETE").source())
