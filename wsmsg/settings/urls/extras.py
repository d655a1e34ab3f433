"""
The libraries of backends and of traces that are not part of every installation.

A library is looked for without being imported, so that checking settings stays quick.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

#: The libraries that each extra of the distribution installs, as C{setup.cfg} has them.
EXTRAS = {
    "kafka": ("confluent_kafka",),
    "mongo": ("txmongo", "pymongo"),
    "redis": ("txredisapi",),
    "otel": ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"),
}


def _find(name: str) -> object:
    try:
        return find_spec(name)
    except ModuleNotFoundError:  # a package that it is in is missing
        return None


def check_extra(name: str, find: Callable[[str], object] = _find) -> None:
    """
    Check that the libraries of an extra are installed.

    @param name: of the extra, a key of L{EXTRAS}.
    @param find: looks for a module, and returns L{None} where there is none.
    @raise ValueError: one is missing, with the remedy.
    """
    missing = [library for library in EXTRAS[name] if find(library) is None]
    if missing:
        libraries = " and ".join(missing)
        verb = "is" if len(missing) == 1 else "are"
        raise ValueError(
            f"needs the extra {name}: pip install 'wsmsg[{name}]' ({libraries} {verb} "
            "not installed)"
        )
