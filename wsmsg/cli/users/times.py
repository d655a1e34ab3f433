"""
Times as an operator writes them.
"""

from __future__ import annotations

from datetime import UTC, datetime

import click


class Time(click.ParamType[int]):
    """
    A time in unix milliseconds, written in ISO 8601 (UTC, unless it has an offset) or
    as unix seconds, as C{iat} of a token has them.
    """

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        text = str(value)
        if text.isascii() and text.isdecimal() and len(text) <= 11:
            return int(text) * 1000
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            self.fail(
                f"{text!r} is not like 2026-11-30T12:00:00 (UTC) or unix seconds",
                param,
                ctx,
            )
        if found.tzinfo is None:
            found = found.replace(tzinfo=UTC)
        return int(found.timestamp() * 1000)


def shown(unix_ms: int) -> str:
    """
    Return a time as this module reads it.
    """
    at = datetime.fromtimestamp(unix_ms / 1000, UTC)
    return at.isoformat(sep=" ", timespec="milliseconds")
