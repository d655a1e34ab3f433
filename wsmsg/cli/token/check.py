"""
C{wsmsg token check}.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import attrs
import click

from wsmsg.cli.paths import config_option, data_dir_option, settings_of
from wsmsg.cli.say import say
from wsmsg.cli.sign import TOKENS, TokenSigner
from wsmsg.cli.token.explain import explain, explain_user_id
from wsmsg.settings.sources import resolve_data_dir
from wsmsg.settings.values import ConnectSettings

_MARKS = {"ok": "ok      ", "wrong": "WRONG   ", "note": "-       "}

#: Characters of standard input that are read.
_MOST = 65536


@click.command("check")
@click.argument("text", metavar="[TOKEN]", required=False)
@config_option("Connect's settings file.  [default: no file]")
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(
    text: str | None, config: Path | None, data_dir: Path | None, as_json: bool
) -> None:
    """
    Explain a token: its checks one by one, and whether Connect accepts it.

    The token is the argument, or comes from standard input (also as `-`), with or
    without `Bearer`. The exit status is 0 only if Connect accepts it, be it from legacy
    clients alone. The token and its
    key are not printed.

    \b
    Examples:
      wsmsg token 1001 | wsmsg token check
      wsmsg token check --config /etc/wsmsg/wsmsg.toml eyJhbGciOi...
    """
    if text is None or text == "-":
        text = sys.stdin.buffer.read(_MOST).decode("utf-8", "replace")
    token = text.strip()
    if token[:7].lower() == "bearer ":
        token = token[7:].strip()
    settings = settings_of(ConnectSettings, config, data_dir, needs=TOKENS)
    data_dir = resolve_data_dir(settings)
    signer = TokenSigner(settings.token, data_dir, names=settings.users.names)
    found = [
        *explain(
            token,
            settings.token,
            signer.authenticator(),
            time.time(),
            names=settings.users.names,
        ),
        *explain_user_id(
            token,
            settings.legacy.token_secret.get_secret_value(),
            settings.token,
        ),
    ]
    accepted = found[-1].result == "ok"
    if as_json:
        checks = [attrs.asdict(each) for each in found]
        say(json.dumps({"accepted": accepted, "checks": checks}, indent=2))
    else:
        for each in found:
            say(f"{_MARKS[each.result]} {each.name}: {each.text}")
    if not accepted:
        raise SystemExit(1)
