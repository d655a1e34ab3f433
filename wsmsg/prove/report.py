"""
The result of a run: as JSON for programs, as text for people.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from wsmsg.prove.checker import PROMISES, Breach, Verdict

#: What each promise is about; docs/explanation/guarantees.md has it all.
WORDS = {
    "P1": "stored exactly once",
    "P2": "a repeat is the same message, or a conflict",
    "P3": "numbers without holes, alike for all, in each sender's order",
    "P4": "pushed once and in order, or told to sync",
    "P5": "everything comes to who was away",
    "P6": "nothing grows without bound",
    "P7": "daemons start in any order and survive each other",
    "P8": "nobody sends or reads as another user",
    "P9": "offline in time",
    "P10": "stopping loses nothing",
}
_SHOWN = 20


def holds(verdict: Verdict) -> bool:
    """
    Return whether every promise held.
    """
    return not any(verdict.counts.values())


def table(verdict: Verdict) -> dict[str, dict[str, int]]:
    """
    Return for each fault and promise the number of violations.
    """
    rows = {fault: dict.fromkeys(PROMISES, 0) for fault in sorted(verdict.faults)}
    for breach in verdict.breaches:
        for fault in breach.faults or tuple(rows):
            rows[fault][breach.promise] += 1
    return rows


def as_document(verdict: Verdict, **more: Any) -> dict[str, Any]:
    """
    Return the report as one JSON object.

    @param more: what the run knows beyond its history.
    """
    header = verdict.header
    return {
        "holds": holds(verdict),
        "seed": header.get("seed"),
        "software": header.get("software", {}),
        "deployment": header.get("deployment", ""),
        "messages": verdict.messages,
        "deliveries": verdict.deliveries,
        "longest_delay_s": round(verdict.delay_s, 3),
        "faults": dict(sorted(verdict.faults.items())),
        "recovery_s": {k: round(v, 2) for k, v in sorted(verdict.recovery_s.items())},
        "promises": verdict.counts,
        "table": table(verdict),
        "violations": [_violation(b) for b in verdict.breaches],
        **more,
    }


def _violation(breach: Breach) -> dict[str, Any]:
    document = breach._asdict()
    return {**document, "t": round(breach.t, 3), "faults": list(breach.faults)}


def as_json(document: Mapping[str, Any]) -> str:
    """
    Return a report as text for a file.
    """
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def as_text(document: Mapping[str, Any]) -> str:
    """
    Return a report for a person.
    """
    lines = [
        f"{document['messages']} messages, {document['deliveries']} deliveries;"
        f" longest delay {document['longest_delay_s']:.2f} s;"
        f" seed {document['seed']}"
    ]
    recovery = document["recovery_s"]
    for fault, count in document["faults"].items():
        took = (
            f", recovered within {recovery[fault]:.1f} s" if fault in recovery else ""
        )
        lines.append(f"  {fault}: {count} times{took}")
    if cleaned := document.get("cleaned"):
        lines.append(
            f"recalled {cleaned['recalled']} messages;"
            f" {cleaned['left']} could not be recalled"
        )
    lines.append("")
    for promise, count in document["promises"].items():
        result = "holds" if not count else f"BROKEN {count} times"
        lines.append(f"{promise:>4}  {result:<16}  {WORDS[promise]}")
    violations = document["violations"]
    for v in violations[:_SHOWN]:
        during = f" (during {', '.join(v['faults'])})" if v["faults"] else ""
        lines.append(
            f"line {v['line']}, {v['t']:.1f} s: {v['promise']}: {v['text']}{during}"
        )
    if len(violations) > _SHOWN:
        lines.append(f"and {len(violations) - _SHOWN} more violations")
    return "\n".join(lines)
