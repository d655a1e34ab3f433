"""
A program that opens WebSockets with a bad token from one address, at a steady rate::

    python attacker.py PORT ADDRESS RATE SECONDS

It reads no answer, and resets each connection a moment later.  It prints the number of
handshakes that it began.
"""

from __future__ import annotations

import select
import socket
import struct
import sys
import time
from collections import deque

#: Connections stay open for so long, so that their handshakes are answered.
_OPEN_S = 0.3
_RESET = struct.pack("ii", 1, 0)
_ASK = (
    b"GET /api/v1/connect/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    b"Sec-WebSocket-Protocol: wsmsg.v1.json\r\nAuthorization: Bearer x\r\n\r\n"
)


def attack(port: int, address: str, rate: float, seconds: float) -> int:
    """
    Begin handshakes.

    @return: their number.
    """
    begun, made = time.monotonic(), 0
    opened: deque[tuple[float, socket.socket]] = deque()
    while (passed := time.monotonic() - begun) < seconds:
        due = min(100, int(passed * rate) - made)
        if due <= 0:
            select.select([], [], [], 0.001)  # the rate is the point of this program
        for _ in range(due):
            opened.append((passed + _OPEN_S, _begin(port, address)))
        made += max(0, due)
        while opened and opened[0][0] < passed:
            opened.popleft()[1].close()
    for _, each in opened:
        each.close()
    return made


def _begin(port: int, address: str) -> socket.socket:
    s = socket.socket()
    s.settimeout(1.0)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    try:
        s.bind((address, 0))
        s.connect(("127.0.0.1", port))
        s.sendall(_ASK)
    except OSError:
        pass  # A daemon that refuses the connection is right.
    return s


if __name__ == "__main__":
    print(attack(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), float(sys.argv[4])))
