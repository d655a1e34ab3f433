"""
C{wsmsg doctor}.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from wsmsg.cli.doctor.backends import backends
from wsmsg.cli.doctor.checks import Finding, examine
from wsmsg.cli.paths import data_dir_of, data_dir_option
from wsmsg.cli.status import admin_options

_MARKS = {"ok": "ok      ", "warning": "warning ", "problem": "PROBLEM "}


@click.command()
@data_dir_option
@admin_options
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="A settings file: check the servers that it names, too.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(
    data_dir: Path | None,
    connect_admin: str,
    message_admin: str,
    config: Path | None,
    as_json: bool,
) -> None:
    """
    Find parts that are missing or unreachable, and print a remedy for each.

    The doctor checks Python, the libraries, the plugins of twistd, the data directory,
    the disk, the clock and both daemons; with --config also whether Kafka, MongoDB and
    Redis are reachable at the addresses in the file. It changes nothing. The exit
    status is 1 if there is a problem.
    """
    findings = examine(data_dir_of(data_dir), connect_admin, message_admin)
    if config is not None:
        findings += backends(config)
    if as_json:
        click.echo(json.dumps(_document(findings), indent=2))
    else:
        for finding in findings:
            click.echo(f"{_MARKS[finding.level]} {finding.subject}: {finding.text}")
            if finding.remedy:
                click.echo(f"{'':10}-> {finding.remedy}")
    if any(finding.level == "problem" for finding in findings):
        raise SystemExit(1)


def _document(findings: list[Finding]) -> dict[str, object]:
    return {
        "ok": all(f.level != "problem" for f in findings),
        "findings": [
            {
                "level": f.level,
                "subject": f.subject,
                "text": f.text,
                "remedy": f.remedy,
            }
            for f in findings
        ],
    }
