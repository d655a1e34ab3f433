"""
A hostile server: the client neither fails nor grows without bound.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.client.state.events import MessageReceived
from wsmsg.client.state.exchange import Exchange
from wsmsg.client.state.positions import Saved
from wsmsg.client.state.reconnect import Again, Ended, Reconnect, moved_url
from wsmsg.errors import BadFrame
from wsmsg.model import INT64_MAX
from wsmsg.protocol import frames as f
from wsmsg.protocol import json as codec_json
from wsmsg.protocol import protobuf as codec_protobuf

URL = "ws://here:21005/api/v1/connect/ws"
int64s = st.one_of(
    st.sampled_from([0, 1, 2, 3, -1, INT64_MAX, -INT64_MAX - 1]), st.integers(0, 12)
)
texts = st.sampled_from(["", "u:1:2", "u:1:3", "x", "i1", "i2", "l1", "q1", "a"])
codes = st.sampled_from(
    ["", "unavailable", "overloaded", "conflict", "bad_frame", "odd"]
)
receipts = st.builds(f.Receipt, texts, int64s, int64s, int64s)
heads = st.lists(
    st.builds(
        f.Head,
        texts,
        int64s,
        int64s,
        int64s,
        int64s,
        st.lists(receipts, max_size=2).map(tuple),
    ),
    max_size=3,
).map(tuple)
delivers = st.builds(
    f.Deliver, texts, int64s, int64s, int64s, texts, int64s, int64s, texts
)
limits = st.builds(
    f.Limits, int64s, int64s, int64s, int64s, int64s, int64s, st.booleans()
)
floats = st.sampled_from([0.0, -1.0, 5.0, 1e308])
welcomes = st.builds(
    f.Welcome, int64s, texts, floats, limits, int64s, heads, st.booleans()
)
frames = st.one_of(
    welcomes,
    delivers,
    delivers,
    st.builds(
        f.Page,
        texts,
        texts,
        st.lists(delivers, max_size=4).map(tuple),
        int64s,
        st.booleans(),
    ),
    st.builds(f.Heads, texts, heads, st.booleans()),
    st.builds(f.Accepted, texts, int64s),
    st.builds(f.Rejected, texts, codes, texts, int64s),
    st.builds(f.Error, codes, texts, texts),
    receipts,
    st.builds(f.Presence, int64s, st.booleans(), int64s),
    st.builds(f.Typing, texts, int64s),
    st.builds(f.Resync, texts),
    st.builds(f.Pong, texts, int64s),
)


class AnyFrameTests(SynchronousTestCase):
    """
    L{Exchange}, with any frames.
    """

    def setUp(self) -> None:
        log = logging.getLogger("wsmsg.client")
        self.addCleanup(log.setLevel, log.level)
        log.setLevel(logging.ERROR)  # it tells of much that is odd

    @settings(max_examples=200, deadline=None)
    @given(welcomes, st.lists(frames, max_size=12))
    def test_frames(self, welcome: f.Welcome, said: list[Any]) -> None:
        """
        No frame raises an exception: the client's answers are bounded and can be
        encoded, and the program gets each seq of a conversation at most once, in order,
        whether the server numbers messages or not.
        """
        settled: list[str] = []
        exchange = Exchange(
            device="d",
            saved=Saved(),
            on_settled=lambda client_id, _: settled.append(client_id),
            on_answer=lambda *_: None,
            start="beginning",
            queued_messages=20,
            unsent=5,
        )
        exchange.send(f.Send("a", to=2, content="hi"))
        last: dict[str, int] = {}
        now = 0.0
        for frame in [welcome, *said]:
            now += 0.3
            exchange.receive(frame, now)
            asked = exchange.due(now)
            self.assertLess(len(asked), 200)
            for request in asked:
                for codec in (codec_json.CODEC, codec_protobuf.CODEC):
                    codec.encode_client(request)
            while (event := exchange.events.take()) is not None:
                exchange.took(event)
                if isinstance(event, MessageReceived) and event.seq:
                    self.assertEqual(event.seq > last.get(event.conversation, 0), True)
                    last[event.conversation] = event.seq
            exchange.next_due(now)
        exchange.lost()
        exchange.inbound.positions()
        self.assertLessEqual(len(settled), 1)

    @given(st.integers(-(2**80), 2**80))
    def test_numbers(self, number: int) -> None:
        """
        A number that is not an int64 is refused in JSON, which can write any.
        """
        said = {"type": "goaway", "reason": "x", "after_ms": number}
        data = json.dumps(said).encode()
        if -(2**63) <= number < 2**63:
            frame = codec_json.CODEC.decode_server(data)
            self.assertEqual(frame, f.Goaway("x", number))
        else:
            with self.assertRaises(BadFrame):
                codec_json.CODEC.decode_server(data)


class ElsewhereTests(SynchronousTestCase):
    """
    Addresses to which a server sends its clients.
    """

    def test_no_place(self) -> None:
        """
        An alternative that is not an address is ignored.
        """
        for odd in (
            "ws://[",
            "[",
            "ws://x:99999999",
            "wss://\u2100",
            "",
            "ws://",
            ":0",
        ):
            self.assertIsNone(moved_url(URL, odd), odd)

    @given(st.lists(st.text(max_size=30), max_size=4), int64s)
    def test_anything(self, alternatives: list[str], at: int) -> None:
        """
        The client makes another attempt, whatever a C{goaway} says.
        """
        reconnect = Reconnect(URL)
        reconnect.told_to_move(at / 1000, tuple(alternatives))
        for _ in range(6):
            self.assertIsInstance(reconnect.ended(Ended(reason="x"), 1.0), Again)
