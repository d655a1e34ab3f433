"""
Default addresses and the data directory of this machine, and the failure of a command.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import click

URL = "ws://127.0.0.1:21005/api/v1/connect/ws"
CONNECT_ADMIN = "http://127.0.0.1:23005"
MESSAGE_ADMIN = "http://127.0.0.1:23004"

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
