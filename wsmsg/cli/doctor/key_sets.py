"""
The check of the key sets that the settings name.
"""

from __future__ import annotations

from collections.abc import Iterator

from wsmsg.auth.fetched import fetched_keys
from wsmsg.cli.doctor.checks import Finding
from wsmsg.settings.values import ConnectSettings, MessageSettings


def key_sets(connect: ConnectSettings, message: MessageSettings) -> Iterator[Finding]:
    """
    Fetch the key sets of C{token.jwks} and C{http.token.jwks}.
    """
    for name, jwks in (
        ("connect.token.jwks", connect.token.jwks),
        ("message.http.token.jwks", message.http.token.jwks),
    ):
        try:
            fetched = fetched_keys(jwks)
        except ValueError as e:
            remedy = "start its server, or correct it; known keys stay in use"
            yield Finding("problem", name, str(e), remedy)
            continue
        if fetched is None:
            continue
        found = ", ".join(f"{n.kid!r} ({n.algorithm})" for n in fetched.keys.keys)
        yield Finding("ok", name, f"{jwks} has {found}")
        for reason in fetched.keys.skipped:
            yield Finding("warning", name, reason, "remove it from the key set")
