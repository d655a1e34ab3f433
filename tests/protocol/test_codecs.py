"""
Every codec encodes every frame, and refuses bytes that are no frame.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.connect.session.cases import CodecTestCase
from wsmsg.errors import BadFrame
from wsmsg.model import INT64_MAX
from wsmsg.protocol import frames
from wsmsg.protocol import json as codec_json
from wsmsg.protocol import protobuf as codec_protobuf

CODECS = (codec_json.CODEC, codec_protobuf.CODEC)

users = st.integers(1, INT64_MAX)
numbers = st.integers(0, INT64_MAX)
int32s = st.integers(0, 2**31 - 1)
texts = st.text(max_size=40)
plain = st.characters(exclude_categories=["Cc", "Cs"])
ids = st.text(plain, min_size=1, max_size=16)
some_users = st.lists(users, max_size=9).map(tuple)
some_names = st.lists(ids, max_size=3).map(tuple)
names = st.builds("u:{}:{}".format, users, users)

client_frames = st.one_of(
    st.builds(frames.Hello, ids, ids, ids, ids),
    st.builds(frames.Send, ids, users, numbers, texts, int32s),
    st.builds(frames.Send, ids, content=texts, to_name=ids),
    st.builds(frames.Names, ids, some_names, some_users, some_names),
    st.builds(frames.Delivered, names, users),
    st.builds(frames.Read, names, users),
    st.builds(frames.Sync, ids, names, numbers, int32s),
    st.builds(frames.Conversations, ids, int32s, ids),
    st.builds(frames.Typing, names, numbers),
    st.builds(frames.Watch, some_users, some_names),
    st.builds(frames.Recall, ids, names, users),
    st.builds(frames.Ping, st.text(plain, max_size=16)),
    st.builds(
        frames.CreateGroup,
        ids,
        texts,
        some_users,
        st.booleans(),
        st.just(False),
        some_names,
    ),
    st.builds(
        frames.ChangeGroup,
        ids,
        users,
        some_users,
        some_users,
        st.booleans(),
        some_names,
        some_names,
    ),
    st.builds(frames.Members, ids, users, numbers, int32s),
    st.builds(frames.Refresh, ids, ids),
    st.builds(frames.Block, ids, numbers, numbers, st.booleans()),
    st.builds(frames.Block, ids, on=st.booleans(), user_name=ids),
    st.builds(frames.Blocks, ids, ids, int32s),
    st.builds(frames.Invite, ids, users, users),
    st.builds(frames.Invite, ids, group=users, user_name=ids),
    st.builds(frames.AcceptInvitation, ids, users),
    st.builds(frames.DeclineInvitation, ids, users),
    st.builds(frames.Invitations, ids, ids, int32s),
)

receipts = st.builds(frames.Receipt, names, users, numbers, numbers)
delivers = st.builds(
    frames.Deliver, names, numbers, users, users, texts, int32s, numbers, ids
)
some_heads = st.lists(
    st.builds(
        frames.Head,
        names,
        numbers,
        numbers,
        numbers,
        numbers,
        st.lists(receipts, max_size=2).map(tuple),
    ),
    max_size=3,
).map(tuple)
limits = st.builds(frames.Limits, int32s, int32s, int32s, int32s, int32s, int32s)

entries = st.builds(frames.BlockEntry, numbers, numbers, numbers)
some_entries = st.lists(entries, max_size=3).map(tuple)
invitations = st.builds(frames.Invitation, users, users, texts, numbers, numbers)
some_invitations = st.lists(invitations, max_size=3).map(tuple)

server_frames = st.one_of(
    st.builds(frames.Blocked, ids, some_entries, ids),
    st.builds(frames.Invited, ids, some_invitations, ids),
    st.builds(
        frames.Welcome,
        users,
        ids,
        st.floats(0.1, 60),
        limits,
        numbers,
        some_heads,
        st.booleans(),
        st.booleans(),
        texts,
        texts,
        numbers,
    ),
    st.builds(frames.Accepted, ids, numbers, texts),
    st.builds(frames.Rejected, ids, texts, texts, int32s),
    delivers,
    st.builds(
        frames.Page,
        ids,
        names,
        st.lists(delivers, max_size=3).map(tuple),
        numbers,
        st.booleans(),
    ),
    st.builds(frames.Heads, ids, some_heads, st.booleans()),
    receipts,
    st.builds(frames.Presence, users, st.booleans(), numbers),
    st.builds(frames.Typing, names, users),
    st.builds(frames.Resync, texts),
    st.builds(frames.Goaway, texts, int32s, st.lists(texts, max_size=3).map(tuple)),
    st.builds(frames.Error, texts, texts, texts),
    st.builds(frames.Pong, texts),
    st.builds(frames.TokenExpiring, numbers),
    st.builds(frames.Refreshed, ids, numbers),
    st.builds(frames.Named, ids, some_users, some_names, some_users),
    st.builds(
        frames.Group,
        ids,
        users,
        texts,
        users,
        st.booleans(),
        numbers,
        st.lists(st.builds(frames.Member, users, numbers), max_size=3).map(tuple),
        st.booleans(),
        texts,
    ),
)


class BothTests(CodecTestCase):
    """
    The behaviour that all codecs share.
    """

    @given(server_frames, st.dictionaries(users, ids, max_size=3))
    def test_names(self, frame: Any, named: dict[int, str]) -> None:
        """
        Names are beside a frame, and whoever does not know of them reads the frame.
        """
        for codec in CODECS:
            data = codec.encode_named(frame, named)
            self.assertEqual(codec.decode_named(data), (frame, named))
            self.assertEqual(codec.decode_server(data), frame)
            self.assertEqual(codec.decode_named(codec.encode(frame)), (frame, {}))

    def test_strange_names(self) -> None:
        """
        A name in a frame has 1 to 128 bytes, without control characters.
        """
        for name in ("n" * 129, "a\nb", "\x85"):
            for frame in (
                frames.Send("c", content="x", to_name=name),
                frames.Watch(names=(name,)),
                frames.Names("n", ("b", name)),
                frames.CreateGroup("c", "Crew", member_names=(name,)),
                frames.ChangeGroup("c", 7, add_names=(name,)),
                frames.ChangeGroup("c", 7, remove_names=(name,)),
                frames.Block("c", user_name=name),
                frames.Invite("c", group=7, user_name=name),
            ):
                for codec in CODECS:
                    with self.assertRaises(BadFrame):
                        codec.decode(codec.encode_client(frame))
        many = frames.Names("n", ("a",) * 600, (1,) * 600)
        for codec in CODECS:
            with self.assertRaises(BadFrame):
                codec.decode(codec.encode_client(many))

    def test_twice(self) -> None:
        """
        A frame names a user by number or by name, not both.
        """
        for frame in (
            frames.Send("c", 7, content="x", to_name="anna"),
            frames.Block("c", 7, user_name="anna"),
            frames.Block("c", group=7, user_name="anna"),
            frames.Invite("c", 7, 8, user_name="anna"),
        ):
            for codec in CODECS:
                with self.assertRaises(BadFrame) as caught:
                    codec.decode(codec.encode_client(frame))
                self.assertIn("_name is set beside", caught.exception.reason)

    def test_without_names(self) -> None:
        """
        A frame without names has no field of names, in either encoding: its bytes are
        what they were before there were names.
        """
        encoded = codec_json.CODEC.encode_client(frames.Send("c", 7, content="x"))
        self.assertEqual(
            encoded,
            b'{"type":"send","client_id":"c","to":7,"group":0,"content":"x","kind":1,'
            b'"repeat":false}',
        )
        for frame in (
            frames.Watch((7,)),
            frames.CreateGroup("c", "Crew", (7,)),
            frames.ChangeGroup("c", 7, (8,)),
            frames.Block("c", 7),
            frames.Invite("c", 7, 8),
        ):
            self.assertNotIn(b"names", codec_json.CODEC.encode_client(frame))
            self.assertNotIn(b"_name", codec_json.CODEC.encode_client(frame))
        group = frames.Group("m", 7, "Crew", 8)
        self.assertNotIn(b"key", codec_json.CODEC.encode(group))
        keyed = codec_json.CODEC.encode(frames.Group("m", 7, "Crew", 8, key="room"))
        self.assertIn(b'"key":"room"', keyed)

    @given(client_frames)
    def test_client_frames(self, frame: Any) -> None:
        """
        A frame of a client is decoded as it was encoded.
        """
        for codec in CODECS:
            self.assertEqual(codec.decode(codec.encode_client(frame)), frame)

    @given(server_frames)
    def test_server_frames(self, frame: Any) -> None:
        """
        A frame of the server is decoded as it was encoded.
        """
        for codec in CODECS:
            self.assertEqual(codec.decode_server(codec.encode(frame)), frame)

    @given(client_frames, st.data())
    def test_truncated(self, frame: Any, data: st.DataObject) -> None:
        """
        A truncated frame is refused or decoded, and nothing else fails.
        """
        for codec in CODECS:
            encoded = codec.encode_client(frame)
            cut = encoded[: data.draw(st.integers(0, len(encoded) - 1))]
            self._decoded_or_refused(codec, cut)

    @given(client_frames, st.data())
    def test_damaged(self, frame: Any, data: st.DataObject) -> None:
        """
        A frame with changed bytes is refused or decoded.
        """
        for codec in CODECS:
            encoded = bytearray(codec.encode_client(frame))
            for _ in range(data.draw(st.integers(1, 4))):
                at = data.draw(st.integers(0, len(encoded) - 1)) if encoded else 0
                encoded[at : at + 1] = data.draw(st.binary(max_size=3))
            self._decoded_or_refused(codec, bytes(encoded))

    @given(st.binary(max_size=300))
    def test_noise(self, data: bytes) -> None:
        """
        Any bytes are refused or decoded.
        """
        for codec in CODECS:
            self._decoded_or_refused(codec, data)
            try:
                codec.decode_server(data)
            except BadFrame:
                pass

    def _decoded_or_refused(self, codec: Any, data: bytes) -> None:
        try:
            frame = codec.decode(data)
        except BadFrame as e:
            self.assertLess(len(e.reason), 300)
        else:
            codec.encode_client(frame)

    def test_fields(self) -> None:
        """
        A field that is not valid is refused, and the reason names it.
        """
        long = "x" * 65
        for frame, field in (
            (frames.Send("", to=1), "send.client_id"),
            (frames.Send(long, to=1), "send.client_id"),
            (frames.Send("é" * 33, to=1), "send.client_id"),
            (frames.Send("a\nb", to=1), "send.client_id"),
            (frames.Send("a", to=-1), "send.to"),
            (frames.Send("a", group=-1), "send.group"),
            (frames.Send("a", to=1, kind=-1), "send.kind"),
            (frames.Delivered("u:1:2", 0), "delivered.seq"),
            (frames.Delivered("", 1), "delivered.conversation"),
            (frames.Read(long, 1), "read.conversation"),
            (frames.Read("u:1:2", -1), "read.seq"),
            (frames.Sync("", "u:1:2"), "sync.id"),
            (frames.Sync("a", "u:1:2", after=-1), "sync.after"),
            (frames.Sync("a", "u:1:2", limit=-1), "sync.limit"),
            (frames.Conversations("a", position="x" * 20000), "conversations.position"),
            (frames.Typing("u:1:\x7f2"), "typing.conversation"),
            (frames.Watch((1, 0)), "watch.users"),
            (frames.Watch(tuple(range(1, 10002))), "watch.users"),
            (frames.Recall("a", "u:1:2", 0), "recall.seq"),
            (frames.Ping(long), "ping.nonce"),
            (frames.CreateGroup(""), "create_group.client_id"),
            (frames.CreateGroup("a", "b", (1, 0)), "create_group.members"),
            (frames.CreateGroup("a", "b", (1,) * 10001), "create_group.members"),
            (frames.ChangeGroup(long, 1), "change_group.client_id"),
            (frames.ChangeGroup("a", 0), "change_group.group"),
            (frames.ChangeGroup("a", 1, (-1,)), "change_group.add"),
            (frames.ChangeGroup("a", 1, (), (0,)), "change_group.remove"),
            (frames.ChangeGroup("a", 1, (), (1,) * 10001), "change_group.remove"),
            (frames.Members("", 1), "members.id"),
            (frames.Members("a", 0), "members.group"),
            (frames.Members("a", 1, -1), "members.after"),
            (frames.Members("a", 1, 0, -1), "members.limit"),
            (frames.Hello(token="x" * 20000), "hello.token"),
            (frames.Hello(device=long), "hello.device"),
            (frames.Hello(position="x" * 20000), "hello.position"),
        ):
            for codec in CODECS:
                self.assert_bad(codec, codec.encode_client(frame), field)

    def test_longest_id(self) -> None:
        """
        An id of 64 bytes is accepted, in any script.
        """
        for client_id in ("x" * 64, "é" * 32):
            frame = frames.Send(client_id, to=1)
            for codec in CODECS:
                self.assertEqual(codec.decode(codec.encode_client(frame)), frame)
