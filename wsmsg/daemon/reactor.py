"""
The asyncio reactor, which both daemons need: gRPC runs on an asyncio loop.

Nothing may import C{twisted.internet.reactor} before L{install_asyncio}: the first
import installs the platform's default.
"""

from __future__ import annotations

import asyncio
import os
import sys

from twisted.internet import asyncioreactor


class WrongReactor(Exception):
    """
    Another reactor than asyncio's is installed.
    """


def install_asyncio() -> None:
    """
    Install the asyncio reactor where none is installed, and quiet gRPC, which is
    loaded after it.

    @raise WrongReactor: with a sentence that says what to do.
    """
    # gRPC writes lines of its own about every lost connection to stderr, past the
    # log; what happened to a stream is told by its dependency.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    installed = sys.modules.get("twisted.internet.reactor")
    if installed is None:
        # A loop of our own: asking asyncio for the current one fails from
        # Python 3.14 on where there is none yet.
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        asyncioreactor.install(loop)
    elif not isinstance(installed, asyncioreactor.AsyncioSelectorReactor):
        raise WrongReactor(
            f"{type(installed).__name__} is installed, and gRPC needs the asyncio "
            "reactor; leave twistd's --reactor option out, or say --reactor=asyncio"
        )
