"""
The tree of a daemon whose settings are reloaded while it runs, and tables of the places
that use its live settings.
"""

from __future__ import annotations

import ast
import gc
import json
import logging
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import attrs
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from wsmsg.daemon.lifecycle import RootService
from wsmsg.settings.keys import keys_of, value_at
from wsmsg.settings.sources import table_of
from wsmsg.settings.values import Common

clock: Any = reactor

_ROOT = Path(__file__).parent.parent.parent


class RunningTree:
    """
    The parts of a running daemon.
    """

    def __init__(self, root: RootService) -> None:
        self.root: Any = root
        self.daemon = self.owner("signals")._calls[signal.SIGHUP].__self__

    def owner(self, name: str) -> Any:
        """
        Return the object that starts or stops the part of a name.
        """
        (part,) = (p for p in self.root._parts if p.name == name)
        return (part.start or part.stop).__self__

    def reload(self) -> None:
        """
        Do what SIGHUP does.
        """
        self.owner("signals")._calls[signal.SIGHUP]()


#: Returns the value that an object of the tree uses for a setting.
Place = Callable[[Any], object]


@attrs.frozen
class LiveKey:
    """
    A live key: a new value, and the places that must have it after a reload.

    @ivar value: valid, and not the value before.
    @ivar modules: modules that read the key from current settings whenever they need
        it; each must contain such an expression.
    """

    value: Any
    places: tuple[Place, ...]
    modules: tuple[str, ...] = ()


def used(value: Any, *places: Place) -> LiveKey:
    """
    A key whose value objects of the tree keep.
    """
    return LiveKey(value, places)


def read(value: Any, holder: Place, key: str, *modules: str) -> LiveKey:
    """
    A key that modules read from settings that an object of the tree holds.

    @param holder: returns those settings.
    @param key: as in C{limits.window}, below the settings that C{holder} returns.
    """

    def place(tree: Any) -> object:
        held: Any = holder(tree)
        return value_at(held, key)

    return LiveKey(value, (place,), modules)


#: Names that code gives to settings or to a section of them.
_HOLDERS = frozenset(
    {"settings", "_settings", "limits", "_limits", "bounds", "_bounds"}
)


def reads_key(source: str, key: str) -> bool:
    """
    Return whether code reads a key of settings: C{limits.window}, C{settings.page}.
    """
    *sections, name = key.split(".")
    holders = {*_HOLDERS, *sections[-1:]}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr == name:
            holder = ast.unparse(node.value).removesuffix("()").rpartition(".")[2]
            if holder in holders:
                return True
    return False


class LiveSettingsCase(TestCase):
    """
    A reload changes each live setting at the places that use it.

    A subclass names a daemon, which is built by its tap and started with free ports and
    a data directory of its own.

    @cvar first: the settings before the reload, beside the defaults.
    @cvar keys: every live key, with its new value and its places.
    """

    first: ClassVar[Mapping[str, Any]] = {}
    keys: ClassVar[Mapping[str, LiveKey]] = {}

    def tap(self) -> Any:
        """
        Return the module of the tap.
        """
        raise NotImplementedError

    def tree_of(self, root: RootService) -> RunningTree:
        """
        Return the tree, as the places of C{keys} expect it.
        """
        raise NotImplementedError

    def prepare(self, data_dir: Path) -> None:
        """
        Put into the data directory what the daemon is to find there.
        """

    async def start(self) -> RunningTree:
        """
        Build the tree and start it.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        self.file = folder / "wsmsg.toml"
        self.write(self.first)
        self.prepare(folder / "data")
        options = self.tap().Options()
        # No live setting is used by a gRPC server.
        listen = [f"--{n}listen=127.0.0.1:0" for n in ("", "admin-")]
        listen.append("--rpc-listen=")
        paths = [f"--config={self.file}", f"--data-dir={folder / 'data'}"]
        options.parseOptions([*paths, *listen])
        self._restore_process()
        root: Any = self.tap().build(options, clock)
        root.startService()
        self.addCleanup(root.stopService)
        await root._starting
        await deferLater(clock, 0.01)  # some parts begin in the next turn
        return self.tree_of(root)

    def _restore_process(self) -> None:
        # A daemon owns its process; this one shares it with other tests.
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        self.addCleanup(sys.setswitchinterval, sys.getswitchinterval())
        self.addCleanup(gc.unfreeze)
        logger = logging.getLogger()
        self.addCleanup(setattr, logger, "handlers", logger.handlers[:])
        self.addCleanup(logger.setLevel, logger.level)

    def write(self, values: Mapping[str, Any]) -> None:
        """
        Write the settings file.
        """
        table = table_of(self.settings_type())
        lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
        self.file.write_text("\n".join([f"[{table}]", *lines]))

    def settings_type(self) -> type[Common]:
        settings_type: type[Common] = self.tap().Options.settings_type
        return settings_type

    def live_keys(self) -> list[str]:
        settings_type = self.settings_type()
        return sorted(set(keys_of(settings_type)) - settings_type.RESTART)

    def test_every_key(self) -> None:
        """
        The table has every live key.
        """
        self.assertEqual(sorted(self.keys), self.live_keys())

    def test_modules(self) -> None:
        """
        The modules that the table names read the key.
        """
        unread = [
            f"{module} does not read {key}"
            for key, row in self.keys.items()
            for module in row.modules
            if not reads_key(
                (_ROOT / f"{module.replace('.', '/')}.py").read_text(), key
            )
        ]
        self.assertEqual(unread, [])

    async def test_reload(self) -> None:
        """
        After a reload of a changed file, every place has the new value.
        """
        tree = await self.start()
        for key, row in self.keys.items():
            self.assertTrue(row.places, key)
            for place in row.places:
                self.assertNotEqual(place(tree), row.value, key)
        self.maxDiff = None
        # No debug token may be set where a proxy may be in front.
        for apart in ("debug_token",), ("hosts", "proxies"):
            keys = {
                key: row
                for key, row in self.keys.items()
                if key.rpartition(".")[2] not in apart
            }
            self.write({key: row.value for key, row in keys.items()})
            tree.reload()
            found = {
                f"{key} {number}": place(tree)
                for key, row in keys.items()
                for number, place in enumerate(row.places, 1)
            }
            wanted = {
                f"{key} {number}": row.value
                for key, row in keys.items()
                for number, _ in enumerate(row.places, 1)
            }
            self.assertEqual(found, wanted)
