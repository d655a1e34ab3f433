"""
The surroundings that every backend is made in.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from wsmsg.dependency.alarms import Alarms
from wsmsg.dependency.retry import Backoff, RetryPolicy
from wsmsg.dependency.state import Dependency
from wsmsg.settings.values import MessageSettings


@attrs.frozen(kw_only=True)
class BackendContext:
    """
    The surroundings of one backend.

    @ivar data_dir: the directory of embedded backends that have no path of their own.
    @ivar dependency: the state that the backend reports.
    @ivar retry: the delays between attempts to open the backend.
    @ivar alarms: the alarms of the daemon.
    @ivar successor: for a journal, returns the topic that has the place of another one
        now; L{None}: nobody knows.
    @ivar backoff: the delays between attempts to dial one connection of several.
    """

    settings: MessageSettings
    data_dir: Path
    reactor: Any
    dependency: Dependency
    retry: RetryPolicy
    backoff: Backoff
    alarms: Alarms = attrs.field(factory=Alarms)
    successor: Callable[[str], Deferred[str]] | None = None
