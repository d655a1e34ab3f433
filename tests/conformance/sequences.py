"""
More bytes of the contract: C{sequences.txt}, written by hand from its tables, not by
protobuf. It has each field absent, zero, negative and huge, texts of every kind, and
encodings that other writers may produce although protobuf would not.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

_TABLE = Path(__file__).with_suffix(".txt")


class Sequence(NamedTuple):
    """
    One line of the table.

    @ivar kind: the message of the contract that it is.
    @ivar fields: its fields, complete.
    @ivar canonical: whether these fields are encoded to exactly these bytes.
    @ivar refused: whether these bytes are not a message of this kind.
    @ivar unknown: numbers of its fields that the contract does not have.
    """

    kind: str
    name: str
    data: bytes
    fields: dict[str, Any]
    canonical: bool
    refused: bool
    unknown: list[int]

    @property
    def title(self) -> str:
        return f"{self.kind}, {self.name}"


def _read() -> list[Sequence]:
    found = []
    kind = ""
    for line in _TABLE.read_text("utf-8").splitlines():
        if line.startswith("["):
            kind = line.strip("[]")
        elif line and not line.startswith("#"):
            found.append(_row(kind, line))
    return found


def _row(kind: str, line: str) -> Sequence:
    mark, name, data, fields = (part.strip() for part in line.split("|"))
    assert mark in ("=", "~", "!"), line
    content = json.loads(fields or "{}")
    unknown = content.pop("unknown", [])
    if "status" in content:  # JSON has no numbers as keys
        content["status"] = {int(k): v for k, v in content["status"].items()}
    return Sequence(
        kind, name, bytes.fromhex(data), content, mark == "=", mark == "!", unknown
    )


SEQUENCES = _read()
ACCEPTED = [s for s in SEQUENCES if not s.refused]
REFUSED = [s for s in SEQUENCES if s.refused]


def of_kind(kind: str) -> list[Sequence]:
    """
    Return the valid sequences of one message of the contract.
    """
    return [s for s in ACCEPTED if s.kind == kind]
