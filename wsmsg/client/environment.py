"""
The settings of a client in the environment of its process.
"""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

import attrs

from wsmsg.client.token_source import TokenSource
from wsmsg.errors import BadRequest

#: The path at which Connect takes clients, for a URL that has none.
PATH = "/api/v1/connect/ws"

_COMMAND_S = 30.0
_SHOWN = 200


@attrs.frozen(kw_only=True)
class EnvironmentSettings:
    """
    The settings that are in the environment.
    """

    url: str
    token_source: TokenSource = attrs.field(repr=False)
    device: str
    position_file: str | None
    ca: str | None


def settings_in(environ: Mapping[str, str]) -> EnvironmentSettings:
    """
    Read the settings.

    @raise BadRequest: one is missing, or is not valid; the reason has the remedy.
    """
    token, command = (
        environ.get(name, "") for name in ("WSMSG_TOKEN", "WSMSG_TOKEN_COMMAND")
    )
    if not token and not command:
        raise BadRequest(
            "there is no token: set WSMSG_TOKEN, or WSMSG_TOKEN_COMMAND to a program "
            "that prints one"
        )
    if token and command:
        raise BadRequest("WSMSG_TOKEN and WSMSG_TOKEN_COMMAND are both set; set one")
    return EnvironmentSettings(
        url=_url(environ.get("WSMSG_URL", "")),
        token_source=token or CommandToken(command),
        device=environ.get("WSMSG_DEVICE", ""),
        position_file=environ.get("WSMSG_POSITION_FILE") or None,
        ca=environ.get("WSMSG_CA") or None,
    )


def _url(text: str) -> str:
    wanted = f"ws://host:21005{PATH}, or wss"
    if not text:
        raise BadRequest(f"WSMSG_URL is not set; it is the server, {wanted}")
    try:
        parts = urlsplit(text)
        is_valid = parts.scheme in ("ws", "wss") and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        is_valid = False
    if not is_valid:
        raise BadRequest(f"WSMSG_URL is {text!r}, which is not {wanted}")
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") or PATH))


class CommandToken:
    """
    A token source that runs a program, and takes the line that it prints.

    @param command: the program and its arguments, quoted as for a shell, which is not
        used.
    """

    def __init__(self, command: str) -> None:
        try:
            self._command = shlex.split(command)
        except ValueError as error:
            raise BadRequest(f"WSMSG_TOKEN_COMMAND: {error}") from None
        if not self._command:
            raise BadRequest("WSMSG_TOKEN_COMMAND names no program")

    async def __call__(self) -> str:
        """
        Return a new token.

        @raise OSError: the program cannot be run, or failed.
        """
        program = self._command[0]
        running = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(os.environ),
        )
        try:
            async with asyncio.timeout(_COMMAND_S):
                printed, said = await running.communicate()
        except TimeoutError:
            raise OSError(f"{program} printed no token in {_COMMAND_S:.0f} s") from None
        finally:
            if running.returncode is None:
                running.kill()
                await running.wait()
        if running.returncode:
            last = said.decode("utf-8", "replace").strip().rpartition("\n")[2][:_SHOWN]
            raise OSError(f"{program} ended with {running.returncode}: {last}")
        return printed.decode("utf-8", "replace").strip()
