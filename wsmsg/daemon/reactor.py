"""
The asyncio reactor, which both daemons need because gRPC runs on an asyncio loop.

Nothing may import C{twisted.internet.reactor} before L{install_asyncio} runs: the first
import installs the platform's default reactor.
"""

from __future__ import annotations

import asyncio
import os
import sys

from twisted.internet import asyncioreactor


class WrongReactor(Exception):
    """
    A reactor other than asyncio's is installed.
    """


def install_asyncio() -> None:
    """
    Install the asyncio reactor if none is installed, and silence gRPC, which is loaded
    later.

    @raise WrongReactor: with a sentence that tells the operator what to do.
    """
    # gRPC writes a line about each lost connection to stderr, past the log; the
    # dependency of the stream logs the loss.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    installed = sys.modules.get("twisted.internet.reactor")
    if installed is None:
        # From Python 3.14 on, asking asyncio for the current loop fails if there is
        # none yet.
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        asyncioreactor.install(loop)
    elif not isinstance(installed, asyncioreactor.AsyncioSelectorReactor):
        raise WrongReactor(
            f"{type(installed).__name__} is installed, and gRPC needs the asyncio "
            "reactor; omit twistd's --reactor option, or use --reactor=asyncio"
        )
