"""
The floor: a bare Autobahn echo server on Twisted's asyncio reactor.

The echo server does nothing that Connect does not have to do as well, so whatever
Connect costs beyond it is our own cost.  C{python -m wsmsg.bench.floor} listens on a
free port of 127.0.0.1 and writes C{port N} to standard output.
"""

from __future__ import annotations

import asyncio
import sys


def main() -> int:
    """
    Serve until SIGTERM or SIGINT.
    """
    from twisted.internet import asyncioreactor

    asyncioreactor.install(asyncio.new_event_loop())
    from autobahn.twisted.websocket import (
        WebSocketServerFactory,
        WebSocketServerProtocol,
    )
    from twisted.internet import reactor
    from twisted.internet.address import IPv4Address

    class Echo(WebSocketServerProtocol):
        def onMessage(self, payload: bytes, isBinary: bool) -> None:
            self.sendMessage(payload, isBinary)  # type: ignore[no-untyped-call]

    factory = WebSocketServerFactory()
    factory.protocol = Echo
    port = reactor.listenTCP(0, factory, backlog=1024, interface="127.0.0.1")
    address = port.getHost()
    assert isinstance(address, IPv4Address)
    print(f"port {address.port}", flush=True)
    reactor.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
