"""
Messages in small fragments.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.connect.websocket.port_in_memory import Edge, masked


class FragmentTests(SynchronousTestCase):
    """
    Fragments that cost more than they carry.
    """

    def test_small_fragments(self) -> None:
        """
        A message below the limit arrives whatever the size of its fragments, also one
        byte; the session counts 64 of them like a frame, but no large ones.
        """
        for heartbeat_s in (0.1, 2, 60):
            edge = Edge(heartbeat_s=heartbeat_s, limits={"frame_bytes": 65536})
            wire = edge.open()
            session, counted = edge.sessions[0], 0
            for size in (1, 7, 64, 256, 511, 512, 4096):
                count = 65536 // size - 1
                whole = masked(b"x" * size, 2, fin=False)
                whole += masked(b"x" * size, 0, fin=False) * (count - 1)
                wire.send(whole + masked(b"x" * size, 0))
                self.assertEqual(wire.transport.written(), b"")
                expected = (b"x" * size * (count + 1), True)
                self.assertEqual(session.messages.pop(), expected)
                counted += count // 64 if size < 512 else 0
                self.assertEqual(session.counted, counted)
            wire.lose()

    def test_small_fragments_over_the_rate(self) -> None:
        """
        A client over its rate is read on in the middle of a message when the session
        allows it; its pings are answered meanwhile.
        """
        edge = Edge()
        wire = edge.open()
        (session,) = edge.sessions
        session.on_counted = session.peer.pause
        wire.message(b"", 2, fin=False)
        wire.send(masked(b"x", 0, fin=False) * 200 + masked(b"y", 0))
        for counted in (1, 2, 3):
            self.assertEqual((session.counted, session.messages), (counted, []))
            wire.message(b"", 9)
            self.assertEqual(wire.transport.written(), b"\x8a\x00")
            session.peer.resume()
        self.assertEqual(session.messages, [(b"x" * 200 + b"y", True)])

    def test_bytes_like_a_pong(self) -> None:
        """
        Six bytes that look like a whole pong are part of a message where they are its
        payload or its rest; between its fragments they are a pong.
        """
        edge = Edge()
        wire = edge.open()
        (session,) = edge.sessions
        pong = masked(b"", 0xA)
        self.assertEqual(len(pong), 6)
        body = b"1234567890" + pong
        whole = b"\x82" + bytes((0x80 | len(body),)) + bytes(4) + body
        for cut in (2, 6, 10, 16):
            wire.send(whole[:cut])
            wire.send(whole[cut:])
        self.assertEqual(session.messages, [(body, True)] * 4)
        wire.send(b"\x82\x82")
        wire.send(pong[:4] + b"\x8b\x82")  # the mask, and two bytes
        self.assertEqual(session.messages.pop(), (b"\x01\x02", True))
        session.messages.clear()
        wire.send(masked(b"a", 2, fin=False))
        wire.send(pong)
        wire.send(masked(b"b", 0))
        self.assertEqual(session.messages, [(b"ab", True)])
