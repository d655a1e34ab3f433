"""
Tests for L{wsmsg.client.state.positions}.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.client.state.inflow import Position
from wsmsg.client.state.positions import BadPositions, PositionFile, Saved
from wsmsg.protocol.frames import ChangeGroup, CreateGroup, Recall, Send


class PositionsTests(SynchronousTestCase):
    """
    The state that survives the program.
    """

    def setUp(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="wsmsg-test-"))
        self.addCleanup(shutil.rmtree, folder)
        self.path = folder / "new" / "p.json"

    def save(self, saved: Saved) -> None:
        PositionFile(self.path).save(
            user=saved.user,
            position=saved.position,
            epoch=saved.epoch,
            positions=saved.positions,
            unsent=saved.unsent,
            witness=saved.witness,
        )

    def test_nothing_yet(self) -> None:
        """
        A missing file is empty, and not an error.
        """
        self.assertEqual(PositionFile(self.path).load(), Saved())

    def test_round(self) -> None:
        """
        The saved state is loaded again, and no other user can read the file.
        """
        saved = Saved(
            7,
            "p99",
            "e1",
            {"u:1:2": Position(3, 5, 8, 2)},
            (Send("a", to=2, content="\u2713\n"),),
            witness="w1",
        )
        self.save(saved)
        self.assertEqual(PositionFile(self.path).load(), saved)
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        self.assertEqual([p.name for p in self.path.parent.iterdir()], ["p.json"])

    def test_unsent(self) -> None:
        """
        Unsent submissions of every kind are kept.
        """
        unsent = (
            Send("a", group=5, content="hi", kind=0),
            CreateGroup("b", "Us", (2, 3), True),
            ChangeGroup("c", 5, (2,), (3,)),
            Recall("d", "g:5", 17),
        )
        self.save(Saved(7, "p99", "", {}, unsent))
        self.assertEqual(PositionFile(self.path).load().unsent, unsent)

    def test_older(self) -> None:
        """
        Unsent submissions of an older client are messages.
        """
        self.path.parent.mkdir()
        self.path.write_text(
            '{"version":1,"unsent":[{"client_id":"a","to":2,"group":0,'
            '"content":"hi","kind":1}]}'
        )
        unsent = (Send("a", to=2, content="hi"),)
        self.assertEqual(PositionFile(self.path).load().unsent, unsent)

    def test_bad_files(self) -> None:
        """
        A file that is not a position file is refused with its name and the reason.
        """
        self.path.parent.mkdir()
        for text in ("", "[]", "{", '{"version": 2}', '{"version":1,"user":"x"}'):
            self.path.write_text(text)
            with self.assertRaises(BadPositions) as caught:
                PositionFile(self.path).load()
            self.assertIn(str(self.path), str(caught.exception))

    @given(st.binary(max_size=200))
    def test_any_bytes(self, data: bytes) -> None:
        """
        A file with any bytes is loaded or refused.
        """
        self.path.parent.mkdir(exist_ok=True)
        self.path.write_bytes(data)
        try:
            PositionFile(self.path).load()
        except BadPositions:
            pass

    def test_cannot_write(self) -> None:
        """
        The reason names a file that cannot be written.
        """
        self.path.parent.write_text("a file, no folder")
        with self.assertRaisesRegex(BadPositions, "p.json"):
            self.save(Saved())
