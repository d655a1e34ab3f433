"""
The command line that C{twistd connect} and C{twistd message} share.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from twisted.python import usage

from wsmsg import __version__
from wsmsg.daemon.complaints import complain
from wsmsg.daemon.pid_file import name_files
from wsmsg.daemon.preflight import check_twistd_options
from wsmsg.daemon.reactor import WrongReactor, install_asyncio
from wsmsg.daemon.worker.share import WorkerNumber, number_in, share_of
from wsmsg.settings.mistakes import SettingsMistakes
from wsmsg.settings.sources import (
    Sources,
    load_settings,
    resolve_data_dir,
    table_of,
)
from wsmsg.settings.values import Common
from wsmsg.text.passwords import without_login

_UNUSABLE = 2


class DaemonOptions(usage.Options):
    """
    The options of a daemon, and the settings that result from them.

    A subclass names its settings and its own options::

        class Options(DaemonOptions):
            settings_type = MessageSettings
            optParameters = [["journal", None, None, "..."]]

    Every option with a value, except C{--config} and C{--set}, is the setting of its
    name. If there are mistakes, all of them are printed and the process exits with
    status 2.

    @cvar settings_type: the settings of this daemon.
    @ivar settings: the settings, once the options are parsed.
    @ivar worker: the number of this process, if a supervisor has started it.
    """

    settings_type: ClassVar[type[Common]]
    settings: Any

    optParameters: ClassVar[list[list[str | None]]] = [
        ["config", "c", None, "TOML file with the tables [common], [connect], ..."],
        ["listen", None, None, "host:port of the public listener"],
        ["rpc-listen", None, None, "host:port of the gRPC listener; empty: none"],
        ["admin-listen", None, None, "host:port of health and metrics; empty: none"],
        ["data-dir", None, None, "directory of the embedded files and the local key"],
        [
            "trust-network",
            None,
            None,
            "listeners that may be beyond loopback although they trust their callers",
        ],
        ["workers", None, None, "processes that share the ports, each on a core"],
        ["node", None, None, "name of this daemon in the logs of its peers"],
        ["log-level", None, None, "debug, info, warn, error or critical"],
        ["log-format", None, None, "text or json"],
    ]
    longdesc = (
        "Without options the daemon listens on 127.0.0.1 only and keeps its data in "
        "files under the data directory. Settings come from the --config file, then "
        "from the environment (WSMSG_CONNECT__LISTEN=...), then from options; a later "
        "source wins. `wsmsg check-config FILE` checks a file. SIGTERM stops the "
        "daemon in order, SIGHUP reloads the settings."
    )

    def __init__(self) -> None:
        usage.Options.__init__(self)
        self._sets: list[tuple[str, str, str]] = []
        self._environ = dict(os.environ)
        self._file: Path | None = None
        self.worker: WorkerNumber | None = None

    @property
    def daemon(self) -> str:
        """
        C{connect} or C{message}.
        """
        return table_of(self.settings_type)

    @property
    def supervises(self) -> bool:
        """
        True if this process is to run workers, and nothing else of the daemon.
        """
        return self.worker is None and self.settings.workers > 1

    @property
    def data_dir(self) -> Path:
        """
        The data directory of the daemon.
        """
        return resolve_data_dir(self.settings, self._environ)

    @property
    def pidfile(self) -> str:
        """
        The path of twistd's pid file; empty if there is none.
        """
        return (self.parent["pidfile"] or "") if self.parent else ""

    def getSynopsis(self) -> str:
        return f"Usage: twistd [options] {self.daemon} [options]"

    def opt_set(self, assignment: str) -> None:
        """
        any setting, as in --set limits.window=32; may be repeated
        """
        key, equals, value = assignment.partition("=")
        key = key.strip().removeprefix(f"{self.daemon}.").removeprefix("common.")
        if not equals or not key:
            # What was given may be a password.
            raise usage.UsageError("--set: is not key=value, as limits.window=32")
        self._sets.append((f"option --set {key}", key, value))

    def opt_version(self) -> None:
        """
        Print the version and exit.
        """
        print(f"wsmsg {__version__}")
        raise SystemExit(0)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """
        Parse as the base class does, but print one line for a mistake and exit with
        status 2: twistd would print its whole help and exit with a status that scripts
        cannot tell from others.
        """
        try:
            usage.Options.parseOptions(self, options)
        except (usage.UsageError, WrongReactor, SettingsMistakes) as e:
            complain(self.daemon, str(e))
            raise SystemExit(_UNUSABLE) from None

    def parseArgs(self, *rest: str) -> None:
        if rest:
            shown = without_login(rest[0])
            raise usage.UsageError(f"{shown!r} is neither an option nor a value")

    def postOptions(self) -> None:
        install_asyncio()
        try:
            self.worker = number_in(self._environ)
        except ValueError as e:
            raise usage.UsageError(str(e)) from None
        # twistd may change its working directory before a reload reads the file.
        config = self["config"]
        self._file = Path(config).absolute() if config else None
        self.settings = self.load()
        if self.parent is not None:
            named = name_files(self.daemon, self.parent, self.parent.defaults)
            check_twistd_options(self.daemon, self.parent, named)

    def load(self) -> Any:
        """
        Read the settings as they are now.

        @raise SettingsMistakes: there are mistakes.
        """
        options = (*self._given(), *self._sets)
        sources = Sources(file=self._file, environ=self._environ, options=options)
        settings = load_settings(self.settings_type, sources)
        return settings if self.worker is None else share_of(settings, self.worker)

    def arguments(self) -> list[str]:
        """
        Return the options, for another process of this daemon.
        """
        given = [f"--config={self._file}"] if self._file else []
        given += [f"--{name}={value}" for name, value in self._options()]
        return given + [f"--set={key}={value}" for _, key, value in self._sets]

    def _options(self) -> list[tuple[str, str]]:
        return [(n, v) for n, v in self.items() if n != "config" and v is not None]

    def _given(self) -> list[tuple[str, str, str]]:
        return [
            (f"option --{name}", _key(name), value) for name, value in self._options()
        ]


def _key(option: str) -> str:
    if option.startswith("log-"):
        return option.replace("-", ".")
    return option.replace("-", "_")
