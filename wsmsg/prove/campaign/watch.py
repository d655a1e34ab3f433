"""
Watches the daemons of a run: what they need, whether they show a fault, and what their
logs say at the end.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from pathlib import Path
from typing import Any

import attrs

from wsmsg.prove.deployment.daemons import DaemonProcess
from wsmsg.prove.deployment.installation import Installation
from wsmsg.prove.history import HistoryWriter

#: What a daemon may need more than after the start.
_MORE = {"rss": 96 * 2**20, "files": 64, "threads": 16}
_UNSETTLED = "wsmsg_message_unsettled"
_SETTLED_S = 30.0
#: Counters and levels that show a fault.
_SHOWN = re.compile(
    r"^(wsmsg_ready|wsmsg_alarm\{.*\}|wsmsg_dependency_up\{.*\}) (\S+)$", re.M
)
_LOOK_S, _ANSWER_S = 0.1, 0.5
_MISSED = "was not pushed message"
_EXPLAINED = "a stream was lost or came up meanwhile"
_LEVELS = ("warn", "error", "critical")


@attrs.define
class Sign:
    """
    Times in seconds until a fault was seen, and from its end until nothing showed it
    any more; L{None}: not at all.
    """

    log_s: float | None = None
    ready_s: float | None = None
    metrics_s: float | None = None
    gone_s: float | None = None

    def look(self, now_s: float, logged: bool, ready: bool, metrics: bool) -> None:
        """
        Note what shows the fault now.
        """
        self.log_s = now_s if self.log_s is None and logged else self.log_s
        self.ready_s = now_s if self.ready_s is None and ready else self.ready_s
        self.metrics_s = now_s if self.metrics_s is None and metrics else self.metrics_s

    def end(self, after_s: float) -> None:
        """
        Note that nothing shows the fault any more.
        """
        self.gone_s = after_s


class DaemonWatch:
    """
    Watches an installation.
    """

    def __init__(self, history: HistoryWriter, installation: Installation) -> None:
        self.signs: dict[str, list[Sign]] = {}
        self._history = history
        self._installation = installation
        self._most: Counter[str] = Counter()

    # -- levels

    def baseline(self) -> None:
        """
        Take what the daemons need now as what they may need.
        """
        for daemon in self._installation.daemons:
            for what, value in _needs(daemon).items():
                key = f"{daemon.kind} {what}"
                self._most[key] = max(self._most[key], value + _MORE[what])

    async def write_levels(self) -> None:
        """
        Write what the daemons need now.
        """
        for daemon in self._installation.daemons:
            for what, value in _needs(daemon).items():
                most = self._most[f"{daemon.kind} {what}"]
                name = f"{daemon.name} {what}"
                self._history.info("level", name=name, value=value, most=most)
            if daemon.kind == "message":
                value = await self._unsettled(daemon)
                name = f"{daemon.name} unsettled"
                self._history.info("level", name=name, value=value, most=0)

    async def _unsettled(self, daemon: DaemonProcess) -> int:
        loop, value = asyncio.get_running_loop(), 0
        until_s = loop.time() + _SETTLED_S
        while loop.time() < until_s:
            _, text = await daemon.get("/metrics")
            found = re.search(rf"^{_UNSETTLED} (\S+)$", str(text), re.M)
            value = int(float(found[1])) if found else 0
            if not value:
                break
            await asyncio.sleep(_LOOK_S)  # other processes have no event to wait for
        return value

    # -- signs

    async def seen(self, name: str, over: asyncio.Event, done: asyncio.Event) -> None:
        """
        Note how soon a fault shows, and how soon it is gone.

        @param over: set at the end of the fault.
        @param done: set when nobody waits for signs any more.
        """
        clock = asyncio.get_running_loop().time
        sign, began_s, ended_s = Sign(), clock(), 0.0
        self.signs.setdefault(name, []).append(sign)
        calm, lines = await self._shown(), self._warnings()
        while not done.is_set():
            await asyncio.sleep(_LOOK_S)  # other processes have no event to wait for
            now_s, logged = clock() - began_s, self._warnings() > lines
            ready, metrics = await self._shown()
            sign.look(now_s, logged, ready != calm[0], metrics != calm[1])
            if over.is_set():
                ended_s = ended_s or clock()
                if (ready, metrics) == calm:
                    sign.end(clock() - ended_s)
                    return

    async def _shown(self) -> tuple[dict[str, Any], dict[str, Any]]:
        daemons = self._installation.daemons
        found = await asyncio.gather(*(_shown_by(daemon) for daemon in daemons))
        names = [daemon.name for daemon in daemons]
        ready = dict(zip(names, (ready for ready, _ in found), strict=True))
        return ready, dict(zip(names, (metrics for _, metrics in found), strict=True))

    def _warnings(self) -> int:
        return sum(_warned(daemon.log) for daemon in self._installation.daemons)

    # -- logs

    def read_logs(self) -> None:
        """
        Write the tracebacks and the missed pushes that the logs tell of.
        """
        for text in self._installation.tracebacks():
            self._history.info("traceback", of="a daemon", text=text)
        for line in self._installation.logged(_MISSED):
            if _EXPLAINED not in line:
                self._history.info("missed", text=line)


def _needs(daemon: DaemonProcess) -> dict[str, int]:
    threads = len(list(Path(f"/proc/{daemon.pid}/task").iterdir()))
    files = daemon.open_files()
    return {"rss": daemon.rss_bytes(), "files": files, "threads": threads}


async def _shown_by(daemon: DaemonProcess) -> tuple[Any, Any]:
    try:
        async with asyncio.timeout(_ANSWER_S):
            status, document = await daemon.get("/readyz")
            _, text = await daemon.get("/metrics")
    except TimeoutError:
        return 0, 0
    if not isinstance(document, dict):
        return status, 0
    alarms = sorted(map(str, document.get("alarms", ())))
    ready = (status, bool(document.get("degraded")), len(alarms))
    return ready, sorted(_SHOWN.findall(str(text)))


def _warned(log: Path) -> int:
    try:
        text = log.read_text("utf-8", "replace")
    except OSError:
        return 0
    return sum(text.count(f"#{level}]") for level in _LEVELS)
