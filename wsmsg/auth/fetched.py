"""
The key set of an issuer, fetched once for a command.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any

import attrs

from wsmsg.auth.fetch import FETCH_S, FetchFailed, read_file
from wsmsg.auth.key_set import MOST_BYTES, KeySet, no_such_key, read_key_set
from wsmsg.errors import WsmsgError


@attrs.frozen
class FetchedKeys:
    """
    The keys as they are now: L{wsmsg.auth.key_set.KeysOfIssuer}.
    """

    keys: KeySet

    def find(self, kid: str, algorithm: str) -> Any | None:
        return self.keys.find(kid, algorithm)

    def unknown(self, kid: str, algorithm: str) -> WsmsgError:
        return no_such_key()

    def doubt(self) -> None:
        """
        Do nothing: the keys were fetched a moment ago.
        """


def fetched_keys(jwks: str) -> FetchedKeys | None:
    """
    Fetch a key set.

    @param jwks: C{token.jwks}; empty: there is none.
    @raise ValueError: it cannot be fetched, or is none; with a line for the operator.
    """
    if not jwks:
        return None
    try:
        data = _get(jwks) if "://" in jwks else read_file(jwks)
        return FetchedKeys(read_key_set(data))
    except ValueError as e:
        raise ValueError(f"{jwks}: {e}") from None


def _get(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=FETCH_S) as answer:
            data: bytes = answer.read(MOST_BYTES + 1)
            return data
    except urllib.error.HTTPError as e:
        raise FetchFailed(f"answered {e.code}") from None
    except (OSError, urllib.error.URLError) as e:
        raise FetchFailed(str(getattr(e, "reason", e))) from None
