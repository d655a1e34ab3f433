"""
Rows of the tables of C{docs/reference/faults.md}, from the reports in C{tools/proofs}.

C{wsmsg prove --report tools/proofs/embedded.json} renews a report.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wsmsg.prove.campaign.proof import FAULTS
from wsmsg.prove.checker import PROMISES

#: The reports of the last long runs, by the deployment.
REPORTS = ("embedded", "stack")
_FOLDER = Path(__file__).resolve().parent / "proofs"

#: The faults that daemons should show.
_SHOWN = (
    *("kill", "stop", "cut", "half-open", "silent-connect", "disk-full"),
    *("broker", "store", "users"),
)

Row = tuple[str, ...]


def _reports() -> list[dict[str, Any]]:
    return [json.loads((_FOLDER / f"{name}.json").read_text()) for name in REPORTS]


def proof_rows() -> Iterator[Row]:
    """
    Rows for the last runs, one for each deployment.
    """
    head = ("deployment", "seed", "version", "minutes", "messages", "deliveries")
    yield (*head, "faults", "longest delay")
    for report in _reports():
        yield (
            report["deployment"],
            f"`{report['seed']}`",
            report["software"]["wsmsg"],
            f"{report['minutes']:g}",
            f"{report['messages']:,}",
            f"{report['deliveries']:,}",
            f"{sum(report['faults'].values()):,}",
            f"{report['longest_delay_s']:.1f} s",
        )


def fault_rows() -> Iterator[Row]:
    """
    Rows for the faults, each with the violations of each promise.
    """
    counts = ("embedded", "recovery", "stack", "recovery")
    yield ("fault", *counts, *PROMISES)
    reports = _reports()
    for fault in FAULTS:
        cells = []
        for report in reports:
            times = report["faults"].get(fault, 0)
            took_s = report["recovery_s"].get(fault)
            took = "-" if took_s is None else f"{took_s:.1f} s"
            cells += [str(times or "-"), took]
        found = [
            sum(report["table"].get(fault, {}).get(promise, 0) for report in reports)
            for promise in PROMISES
        ]
        yield (f"`{fault}`", *cells, *(str(n or "holds") for n in found))


def sign_rows() -> Iterator[Row]:
    """
    Rows for the faults that daemons should show, with the longest times until they did.
    """
    yield ("fault", "deployment", "log", "readiness", "metrics", "gone after")
    for report in _reports():
        for fault in (name for name in _SHOWN if name in report["signs"]):
            signs = report["signs"][fault]
            keys = ("log_s", "ready_s", "metrics_s", "gone_s")
            cells = (_longest([sign[key] for sign in signs]) for key in keys)
            yield (f"`{fault}`", report["deployment"], *cells)


def _longest(values: list[float | None]) -> str:
    seen = [value for value in values if value is not None]
    if not seen:
        return "-"
    note = f", {len(seen)} of {len(values)}" if len(seen) < len(values) else ""
    return f"{max(seen):.1f} s{note}"
