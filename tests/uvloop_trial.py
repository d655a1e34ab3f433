"""
Trial on the event loop of uvloop::

    python -m tests.uvloop_trial tests.stream
    WSMSG_TRIAL=tests.uvloop_trial make unit
"""

from __future__ import annotations

import asyncio
import sys

_REAP_S = 0.05


def main() -> None:
    """
    Have all event loops made by uvloop, and run trial.
    """
    import uvloop
    from twisted.internet import asyncioreactor, process

    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    asyncioreactor.install(loop)

    def reap() -> None:
        # While it runs, uvloop takes the file descriptor by which Twisted would hear of
        # the end of a child.  The daemons have no children.
        process.reapAllProcesses()
        loop.call_later(_REAP_S, reap)

    reap()
    sys.argv = [it for it in sys.argv if it != "--reactor=asyncio"]
    from twisted.scripts.trial import run

    run()


if __name__ == "__main__":
    main()
