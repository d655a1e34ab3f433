"""
C{wsmsg key}: makes, lists and revokes API keys.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from wsmsg.auth.api_keys import Keyring, new_key
from wsmsg.auth.key_file import add_key, keys_path, read_keys, remove_key
from wsmsg.auth.scopes import GRANTED
from wsmsg.cli.paths import config_option, data_dir_option, fail, settings_of
from wsmsg.cli.say import say
from wsmsg.settings.sources import resolve_data_dir
from wsmsg.settings.values import MessageSettings

_RELOAD = "reload the daemons, and it counts: kill -HUP, systemctl reload"
_SCOPES = ", ".join(scope.value for scope in GRANTED)


def _file_options(command: Callable[..., None]) -> Any:
    """
    Add the options that say where the file is; C{command} gets C{path}.
    """

    @functools.wraps(command)
    def with_path(
        file: Path | None, config: Path | None, data_dir: Path | None, **more: Any
    ) -> None:
        if file is None:
            settings = settings_of(
                MessageSettings, config, data_dir, needs=("api_keys", "data_dir")
            )
            file = keys_path(settings.api_keys, resolve_data_dir(settings))
        command(path=file.absolute(), **more)

    for option in (
        data_dir_option,
        config_option("Message's settings file: use the keys that it names."),
        click.option(
            "--file",
            type=click.Path(dir_okay=False, path_type=Path),
            help="The file with the keys.  [default: api_keys, or DATA_DIR/api.keys]",
        ),
    ):
        with_path = option(with_path)
    return with_path


def _json_option(command: Any) -> Any:
    text = "Print one JSON object."
    return click.option("--json", "as_json", is_flag=True, help=text)(command)


@click.group()
def key() -> None:
    """
    Make, list and revoke API keys of services.

    A key has a name, scopes, and addresses from which it may be used. The file has
    only hashes: a secret is shown once, when it is made. A daemon reads the file at its
    start and at each SIGHUP. As soon as there is a file, calls of HTTP need a key.

    \b
    Examples:
      wsmsg key new billing --scopes send,read --from 10.0.0.0/8
      wsmsg key list
      wsmsg key revoke billing
    """


@key.command("new")
@click.argument("name")
@click.option(
    "--scopes",
    required=True,
    help=f"What it may do, separated by commas: {_SCOPES}; or all.",
)
@click.option(
    "--from",
    "networks",
    multiple=True,
    metavar="ADDRESS",
    help="An address or a network from which it may be used; may be repeated, or "
    "separated by commas.  [default: any]",
)
@click.option(
    "--secret-file",
    type=click.File("r"),
    help="Take the secret from this file (- is the standard input).  [default: random]",
)
@_file_options
@_json_option
def new(
    name: str,
    scopes: str,
    networks: tuple[str, ...],
    secret_file: Any,
    path: Path,
    as_json: bool,
) -> None:
    """
    Make a key, and print its secret.

    The secret is shown only now. Services send it as Authorization: Bearer SECRET.
    """
    names = _words([scopes])
    if names == ["all"]:
        names = [scope.value for scope in GRANTED]
    try:
        given = "" if secret_file is None else secret_file.read().strip()
        if secret_file is not None and not given:
            raise ValueError(f"{secret_file.name}: is empty")
        made, secret = new_key(name, names, _words(networks), given)
        add_key(path, made)
    except (OSError, ValueError) as e:
        fail(_reason(e))
    if as_json:
        say(json.dumps({"name": name, "secret": secret, "file": str(path)}))
        return
    say(secret)
    say(f"{name} is in {path}; {_RELOAD}", err=True)


@key.command("list")
@_file_options
@_json_option
def list_(path: Path, as_json: bool) -> None:
    """
    List the keys, without their secrets.
    """
    keys = _read(path).keys or ()
    if as_json:
        shown = [
            {
                "name": each.name,
                "scopes": sorted(scope.value for scope in each.scopes),
                "from": [str(network) for network in each.networks],
            }
            for each in keys
        ]
        say(json.dumps({"file": str(path), "keys": shown}, indent=2))
        return
    if not keys:
        say(f"There are no keys in {path}.")
    width = max((len(each.name) for each in keys), default=0)
    for each in keys:
        scopes = ",".join(sorted(scope.value for scope in each.scopes))
        places = ", ".join(map(str, each.networks)) or "any address"
        say(f"{each.name:{width}}  {scopes}  from {places}")


@key.command()
@click.argument("name")
@_file_options
@_json_option
def revoke(name: str, path: Path, as_json: bool) -> None:
    """
    Remove a key.

    The exit status is 0 only if the file had it.
    """
    try:
        is_there = remove_key(path, name)
    except (OSError, ValueError) as e:
        fail(_reason(e))
    if not is_there:
        fail(f"there is no key {name} in {path}")
    if as_json:
        say(json.dumps({"revoked": name, "file": str(path)}))
    else:
        say(f"{name} is not in {path} any more; {_RELOAD}", err=True)


def _read(path: Path) -> Keyring:
    if not path.exists():
        return Keyring()
    try:
        return read_keys(str(path), path.parent)
    except ValueError as e:
        fail(str(e))


def _words(given: tuple[str, ...] | list[str]) -> list[str]:
    return [word.strip() for text in given for word in text.split(",") if word.strip()]


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror or error}"
    return str(error)
