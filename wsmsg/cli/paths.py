"""
Default addresses, settings and the data directory of this machine, and the failure of a
command.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

if TYPE_CHECKING:
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
    settings_type: type[S], config: Path | None, data_dir: Path | None = None
) -> S:
    """
    Return the settings of a daemon with this file in this environment.

    @param data_dir: the data directory instead of the one in the settings.
    @raise click.ClickException: there are mistakes.
    """
    from wsmsg.settings.mistakes import SettingsMistakes
    from wsmsg.settings.sources import Sources, load_settings

    given = (("option --data-dir", "data_dir", str(data_dir)),) if data_dir else ()
    sources = Sources(file=config, environ=os.environ, options=given)
    try:
        return load_settings(settings_type, sources)
    except SettingsMistakes as mistakes:
        fail(mistakes.text())


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
