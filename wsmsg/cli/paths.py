"""
Default addresses, settings and the data directory of this machine, and the failure of a
command.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from wsmsg.cli.say import say

if TYPE_CHECKING:
    from wsmsg.settings.checks import Checked
    from wsmsg.settings.mistakes import Mistake
    from wsmsg.settings.values import ConnectSettings, MessageSettings

    S = TypeVar("S", ConnectSettings, MessageSettings)

URL = "ws://127.0.0.1:21005/api/v1/connect/ws"

WS_PATH = "/api/v1/connect/ws"


def data_dir_option(command: Any) -> Any:
    """
    The option C{--data-dir}.
    """
    return click.option(
        "--data-dir",
        type=click.Path(file_okay=False, path_type=Path),
        envvar="WSMSG_COMMON__DATA_DIR",
        help="The daemons' data directory.  [default: as for the daemons]",
    )(command)


def config_option(text: str) -> Callable[[Any], Any]:
    """
    The option C{--config}.

    @param text: its help.
    """
    return click.option("--config", type=click.Path(path_type=Path), help=text)


def settings_of(
    settings_type: type[S],
    config: Path | None,
    data_dir: Path | None = None,
    *,
    needs: Sequence[str],
    rules: bool = True,
) -> S:
    """
    Return the settings of a daemon with this file in this environment.  Mistakes in
    what the command does not need are warnings: it may have been called to find out
    what is wrong.

    @param data_dir: the data directory instead of the one in the settings.
    @param needs: the keys that the command uses, and sections of keys, C{token.}.
    @param rules: whether these have to fit together, and to the files that they name.
    @raise click.ClickException: there are mistakes in what the command needs.
    """
    from wsmsg.settings.mistakes import SettingsMistakes

    checked = checked_settings(settings_type, config, data_dir)
    relevant = checked.mistakes if rules else checked.wrong
    fatal = [mistake for mistake in relevant if concerns(mistake, needs)]
    if fatal:
        fail(SettingsMistakes(fatal).text())
    for mistake in checked.mistakes:
        say(f"warning: {mistake}", err=True)
    return checked.settings


def checked_settings(
    settings_type: type[S], config: Path | None, data_dir: Path | None = None
) -> Checked[S]:
    """
    Read the settings of a daemon with this file in this environment.
    """
    from wsmsg.settings.sources import Sources, read_settings

    given = (("option --data-dir", "data_dir", str(data_dir)),) if data_dir else ()
    sources = Sources(file=config, environ=os.environ, options=given)
    return read_settings(settings_type, sources)


def concerns(mistake: Mistake, needs: Sequence[str]) -> bool:
    """
    Return whether a mistake is in settings that a command needs, or in a whole source.

    @param needs: as for L{settings_of}.
    """
    return any(
        not key or key == need or (need.endswith(".") and key.startswith(need))
        for key in mistake.key.split(", ")
        for need in needs
    )


def data_dir_of(given: Path | None) -> Path:
    """
    Return the data directory: the given one, or the daemons' default.
    """
    from wsmsg.settings.sources import resolve_data_dir
    from wsmsg.settings.values import Common

    return resolve_data_dir(Common(data_dir=str(given) if given else ""))


def fail(reason: str) -> NoReturn:
    """
    Exit with status 1 and one line on C{stderr}.
    """
    raise click.ClickException(" ".join(reason.split("\n")))
