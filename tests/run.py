"""
All checks and tests in one go, with one line at the end that a machine can read::

    412 passed, 0 failed, 3 skipped

C{python tests/run.py} runs every stage, C{python tests/run.py unit types} only
those.  A stage that is a tool (ruff, mypy) counts as one test.  A stage of tests is
one run of trial over every C{test_*.py} that belongs to it, found by looking at the
files, so that none is left out for want of an C{__init__.py}.  Nothing is taken for
granted: a trial that ends badly, counts fewer results than tests, or runs no test
at all, has failed.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
TEMPORARY = ROOT / "_trial_temp"

#: Stages that are one tool each.
TOOLS = {
    "lint": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "types": ["mypy"],
}

#: Stages of tests: the folder, where it is not all the rest; arguments for trial;
#: seconds after which the stage is ended and has failed.
SUITES: dict[str, tuple[str, list[str], float]] = {
    "unit": ("", ["-j2"], 420),
    "integration": ("integration", [], 420),
    "faults": ("faults", [], 420),
}

STAGES = (*TOOLS, *SUITES)


class Result(NamedTuple):
    """
    What came of a stage.
    """

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def plus(self, other: Result) -> Result:
        return Result(
            self.passed + other.passed,
            self.failed + other.failed,
            self.skipped + other.skipped,
        )

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def read_summary(output: str, status: int) -> Result:
    """
    What trial says at its end, believed only where it adds up.

    @param output: all that trial wrote.
    @param status: its exit status.
    """
    summaries = re.findall(r"^(?:PASSED|FAILED)(?: \((.*)\))?\s*$", output, re.M)
    ran = re.findall(r"^Ran (\d+) tests? in ", output, re.M)
    if len(summaries) != 1 or len(ran) != 1:
        return Result(failed=1)
    counts = {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", summaries[0])}
    passed = counts.pop("successes", 0)
    skipped = counts.pop("skips", 0) + counts.pop("expectedFailures", 0)
    failed = sum(counts.values())
    lost = int(ran[0]) - passed - skipped - failed
    # An error outside of a test (an import, a setUpClass) counts though no test ran.
    failed += max(0, lost)
    if not failed and (status != 0 or passed + skipped == 0):
        failed = 1
    return Result(passed, failed, skipped)


def modules_of(stage: str, root: Path = ROOT) -> list[str]:
    """
    The dotted names of a stage's test modules.
    """
    folders = {folder for folder, _, _ in SUITES.values() if folder}
    found = []
    for path in sorted((root / "tests").rglob("test_*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        folder = parts[1] if parts[1] in folders else ""
        if folder == SUITES[stage][0]:
            found.append(".".join(parts))
    return found


def run(command: Sequence[str], limit_s: float) -> tuple[str, int]:
    """
    Run a command, showing what it writes as it comes.

    @return: what it wrote and its exit status, which is never 0 where it had to be
        ended.
    """
    environment = dict(os.environ, PYTHONPATH=str(ROOT), PYTHONUNBUFFERED="1")
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    overdue = threading.Timer(limit_s, _end, [process, limit_s])
    overdue.daemon = True
    overdue.start()
    chunks = []
    assert process.stdout is not None
    try:
        while chunk := os.read(process.stdout.fileno(), 65536):
            chunks.append(chunk)
            sys.stdout.buffer.write(chunk)
            sys.stdout.flush()
        status = process.wait()
    except KeyboardInterrupt:
        _end(process, limit_s, signal.SIGTERM)
        raise
    finally:
        overdue.cancel()
    return b"".join(chunks).decode("utf-8", "replace"), status


def _end(
    process: subprocess.Popen[bytes],
    limit_s: float,
    number: signal.Signals = signal.SIGKILL,
) -> None:
    print(f"\nending it after {limit_s:.0f} s at the most", flush=True)
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


def run_tool(stage: str) -> Result:
    _, status = run([sys.executable, "-m", *TOOLS[stage]], 300)
    return Result(passed=1) if status == 0 else Result(failed=1)


def run_suite(stage: str) -> Result:
    _, arguments, limit_s = SUITES[stage]
    modules = modules_of(stage)
    if not modules:
        print(f"there are no tests for {stage}")
        return Result(failed=1)
    command = [sys.executable, "-m", "twisted.trial", "--reactor=asyncio"]
    command += ["--reporter=text", f"--temp-directory={TEMPORARY}_{stage}"]
    return read_summary(*run([*command, *arguments, *modules], limit_s))


def main(arguments: Sequence[str]) -> int:
    unknown = set(arguments) - set(STAGES)
    if unknown:
        print(f"no such stage: {', '.join(sorted(unknown))}; {', '.join(STAGES)}")
        return 2
    total = Result()
    for stage in arguments or STAGES:
        print(f"\n== {stage}", flush=True)
        began = time.monotonic()
        result = run_tool(stage) if stage in TOOLS else run_suite(stage)
        print(f"-- {stage}: {result}; {time.monotonic() - began:.1f} s", flush=True)
        total = total.plus(result)
    print(f"\n{total}", flush=True)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
