"""
C{wsmsg doctor}.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from wsmsg.cli.doctor.backends import backends
from wsmsg.cli.doctor.checks import DaemonPlace, Finding, examine
from wsmsg.cli.doctor.key_sets import key_sets
from wsmsg.cli.paths import checked_settings, config_option, data_dir_option
from wsmsg.cli.say import say
from wsmsg.cli.status import admin_options
from wsmsg.settings.mistakes import Mistake
from wsmsg.settings.values import ConnectSettings, MessageSettings

#: Settings with which the doctor reaches no server.
_OWN = ("tls.", "peer.", "token.")
_MARKS = {"ok": "ok      ", "warning": "warning ", "problem": "PROBLEM "}


@click.command()
@data_dir_option
@admin_options
@config_option("The daemons' settings file: look where it says, at its servers too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(
    data_dir: Path | None,
    connect_admin: str | None,
    message_admin: str | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """
    Find parts that are missing or unreachable, and print a remedy for each.

    The doctor checks Python, the libraries, the plugins of twistd, the data directory,
    the disk, the clock and both daemons, at the addresses and in the folders of
    --config, of the environment of this command, or the default ones; with --config
    also whether Kafka, MongoDB and Redis are reachable at the addresses in the file. It
    changes nothing. The exit status is 1 if there is a problem.
    """
    checked = (
        checked_settings(ConnectSettings, config, data_dir),
        checked_settings(MessageSettings, config, data_dir),
    )
    connect, message = checked[0].settings, checked[1].settings
    mistakes = dict.fromkeys(m for each in checked for m in each.mistakes)
    findings = [_mistake(m) for m in mistakes]
    findings += examine(
        [DaemonPlace(connect, connect_admin), DaemonPlace(message, message_admin)]
    )
    if config is not None and all(m.key.startswith(_OWN) for m in mistakes):
        findings += backends(connect, message)
        findings += key_sets(connect, message)
    if as_json:
        say(json.dumps(_document(findings), indent=2))
    else:
        for finding in findings:
            say(f"{_MARKS[finding.level]} {finding.subject}: {finding.text}")
            if finding.remedy:
                say(f"{'':10}-> {finding.remedy}")
    if any(finding.level == "problem" for finding in findings):
        raise SystemExit(1)


def _mistake(mistake: Mistake) -> Finding:
    remedy = "correct it; the daemon does not start with it, and reloads nothing"
    return Finding("problem", "settings", str(mistake), remedy)


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
