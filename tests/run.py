"""
All checks and tests in one command, with one line at the end for machines::

    412 passed, 0 failed, 3 skipped

C{python tests/run.py} runs every stage, C{python tests/run.py unit types} only those. A
stage that is a tool (ruff, mypy) counts as one test. A stage of tests is a run of trial
over every C{test_*.py} that belongs to it. The runner finds them by looking at the
files, so that a missing C{__init__.py} hides none. A stage may be several runs at the
same time with a share of the files each (trial's own C{--jobs} loses its workers when a
test starts gRPC). A trial that exits with an error, reports fewer results than tests,
or runs no test at all has failed.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
TEMPORARY = ROOT / "_trial_temp"

#: gRPC logs connections that tests cut on purpose; and once it has run, its
#: hooks end a child between fork and exec, which tests need.
_QUIET = {
    "GRPC_VERBOSITY": "ERROR",
    "GRPC_ENABLE_FORK_SUPPORT": "0",
    "PYTHONUNBUFFERED": "1",
}

#: Further seconds for the stages of faults, where they run for longer.
_FAULTS_S = 60 * float(os.environ.get("WSMSG_FAULTS") or 0) * 1.5
# The seconds that the load of the stage of soaks lasts.
_SOAK_S = 60 * float(os.environ.get("WSMSG_SOAK") or 1)
# Another module that runs trial: tests.uvloop_trial.
_TRIAL = os.environ.get("WSMSG_TRIAL") or "twisted.trial"
#: The runs of trial into which the modules of a process are divided.
_SHARES = 3

#: Stages that are one tool each.
TOOLS = {
    "lint": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "types": ["mypy"],
    "site": ["tools.make_site"],
}


class Suite(NamedTuple):
    """
    A stage of tests.

    @ivar folders: below C{tests}, with everything in them; none: all files that no
        other stage has.
    @ivar processes: number of trials that share its modules, at the same time.
    @ivar limit_s: seconds after which the stage is ended and has failed.
    @ivar servers: whether it needs real servers.
    @ivar node: whether it needs Node, and the TypeScript client built.
    """

    folders: tuple[str, ...] = ()
    processes: int = 1
    limit_s: float = 900
    servers: bool = False
    node: bool = False


SUITES = {
    "unit": Suite(processes=2),
    "integration": Suite(
        ("integration", "conformance/daemons"), processes=3, limit_s=900
    ),
    "typescript": Suite(("typescript",), node=True),
    "browser": Suite(("browser",), node=True),
    "soak": Suite(("soak",), limit_s=900 + 1.2 * _SOAK_S),
    "faults": Suite(("faults",), processes=2, limit_s=900 + _FAULTS_S),
    "stack-faults": Suite(("stack/faults",), limit_s=900 + _FAULTS_S, servers=True),
    "stack": Suite(("stack",), processes=2, limit_s=2400, servers=True),
}

STAGES = (*TOOLS, *SUITES)

LEFT_OUT = "-- {} tests with real servers were left out; `make stack-install` adds them"


class Result(NamedTuple):
    """
    The counts of a stage.
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
    Parse the summary that trial prints at its end, and check that the counts add up.

    @param output: all output of trial.
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
    Return the dotted names of a stage's test modules.
    """
    owners = {f: name for name, suite in SUITES.items() for f in suite.folders}
    rest = next(name for name, suite in SUITES.items() if not suite.folders)
    found = []
    for path in sorted((root / "tests").rglob("test_*.py")):
        inner = path.relative_to(root / "tests").as_posix()
        owner = (name for f, name in owners.items() if inner.startswith(f"{f}/"))
        if next(owner, rest) == stage:
            parts = path.relative_to(root).with_suffix("").parts
            found.append(".".join(parts))
    return found


class Command:
    """
    A program with a time limit, in a session of its own so that it can be ended with
    all its child processes.

    @param live: whether its output is shown as it comes, or all at its end.
    @param environment: variables added to those of this process.
    """

    def __init__(
        self,
        command: Sequence[str],
        limit_s: float,
        *,
        live: bool,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._command = command
        self._limit_s = limit_s
        self._live = live
        self._environment = dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    def run(self) -> tuple[str, int]:
        """
        Run the program.

        @return: its output, and its exit status, which is never 0 if it had to be
            ended.
        """
        self._process = process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            env={
                **_QUIET,
                **os.environ,
                **self._environment,
                "PYTHONPATH": str(ROOT),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        overdue = threading.Timer(self._limit_s, self._end_late)
        overdue.daemon = True
        overdue.start()
        try:
            output = self._output()
            return output.decode("utf-8", "replace"), process.wait()
        finally:
            overdue.cancel()

    def end(self, number: int = signal.SIGKILL) -> None:
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, number)

    def _output(self) -> bytes:
        assert self._process is not None and self._process.stdout is not None
        output = b""
        while chunk := os.read(self._process.stdout.fileno(), 65536):
            output += chunk
            if self._live:
                _show(chunk)
        if not self._live:
            _show(output)
        return output

    def _end_late(self) -> None:
        _show(f"\nended: it took over {self._limit_s:.0f} s\n".encode())
        self.end()


def _show(output: bytes) -> None:
    sys.stdout.buffer.write(output)
    sys.stdout.flush()


def run_together(
    commands: Sequence[Command], at_once: int = 0
) -> list[tuple[str, int]]:
    """
    Run commands concurrently; an interruption ends all of them.

    @param at_once: the most commands that run at the same time; 0: all of them.
    """
    with ThreadPoolExecutor(at_once or len(commands)) as pool:
        running = [pool.submit(command.run) for command in commands]
        try:
            return [future.result() for future in running]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for command in commands:
                command.end(signal.SIGTERM)
            raise


def run_tool(stage: str) -> Result:
    tool = Command([sys.executable, "-m", *TOOLS[stage]], 300, live=True)
    [(_, status)] = run_together([tool])
    return Result(passed=1) if status == 0 else Result(failed=1)


def run_suite(stage: str) -> Result:
    suite = SUITES[stage]
    modules = modules_of(stage)
    if not modules:
        print(f"there are no tests for {stage}")
        return Result(failed=1)
    if suite.node:
        tool = [sys.executable, "-m", "tools.typescript"]
        built = Command([*tool, stage], 300, live=True)
        [(_, status)] = run_together([built])
        if status != 0:
            # Status 5: Node or Chromium is missing, and neither is required.
            return Result(skipped=len(modules)) if status == 5 else Result(failed=1)
    if not suite.servers:
        return run_trials(stage, modules, {})
    with real_servers() as environment:
        if environment is None:
            return Result(failed=1)
        return run_trials(stage, modules, environment)


def run_trials(
    stage: str, modules: Sequence[str], environment: Mapping[str, str]
) -> Result:
    suite = SUITES[stage]
    trials = []
    # In several shares for each process, as modules take from 1 to 60 s.
    shares = suite.processes if suite.processes == 1 else suite.processes * _SHARES
    for i in range(min(shares, len(modules))):
        trial = [sys.executable, "-m", _TRIAL, "--reactor=asyncio"]
        trial += ["--rterrors", "--reporter=text"]
        trial += [f"--temp-directory={TEMPORARY}_{stage}_{i}"]
        trial += modules[i::shares]
        live = suite.processes == 1
        command = Command(trial, suite.limit_s, live=live, environment=environment)
        trials.append(command)
    total = Result()
    for output, status in run_together(trials, suite.processes):
        total = total.plus(read_summary(output, status))
    return total


@contextmanager
def real_servers() -> Iterator[dict[str, str] | None]:
    """
    Run the servers for as long as the context lasts.

    @return: environment variables with their addresses; L{None}: they could not be
        started.
    """
    folder = tempfile.mkdtemp(prefix="wsmsg-tests-")

    stack = [sys.executable, "-m", "tools.stack", "--data", folder]
    required = os.environ.get("WSMSG_STACK") == "required"
    up = [*stack, "up", "--free-ports", *([] if required else ["--installed"])]
    try:
        [(_, status)] = run_together([Command(up, 180, live=True)])
        if status != 0:
            yield None
        else:
            told = subprocess.check_output([*stack, "env"], cwd=ROOT, text=True)
            yield dict(re.findall(r"^export (\w+)=(.*)$", told, re.M))
    finally:
        run_together([Command([*stack, "wipe"], 60, live=False)])
        shutil.rmtree(folder, ignore_errors=True)


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
        if SUITES.get(stage, Suite()).servers and result.skipped:
            print(LEFT_OUT.format(result.skipped), flush=True)
        total = total.plus(result)
    print(f"\n{total}", flush=True)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
