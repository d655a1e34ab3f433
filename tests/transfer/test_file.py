"""
Tests for L{wsmsg.transfer.file}.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.transfer.cases import file_of, lines_for, talk
from wsmsg.model import Cursor, Message
from wsmsg.transfer import file as lines
from wsmsg.transfer.file import BadFile, LineReader, LineWriter, intact_part, lines_of
from wsmsg.transfer.records import CursorLine, GroupLine, MemberLine, Record

#: A group with two members, and a conversation.
RECORDS: list[Record] = [
    *lines_for(talk(2, "g:7")),
    GroupLine("g:7", "us", 1, False, 2),
    MemberLine("g:7", 1, 1),
    MemberLine("g:7", 2, 2),
    *lines_for(talk(3), [Cursor("u:1:2", 1, 3, 2), Cursor("u:1:2", 2, 1, 0)]),
]


def read(file: list[bytes]) -> list[Record]:
    """
    Return all records of a file.
    """
    return [r for batch in LineReader().batches(file) for r in batch.records]


class WholeFileTests(SynchronousTestCase):
    """
    A written file is read back.
    """

    def test_all_of_it(self) -> None:
        """
        Records are read as they were written, with the counts and the hash.
        """
        writer = LineWriter()
        file = writer.begin(7) + writer.write(RECORDS) + writer.end()
        reader = LineReader()
        (batch,) = reader.batches(lines_of(io.BytesIO(file)))
        self.assertEqual(list(batch.records), RECORDS)
        self.assertEqual(batch.first_line, 2)
        self.assertEqual(reader.counts, writer.counts)
        self.assertEqual(reader.sha256, writer.sha256)
        counts = reader.counts
        self.assertEqual((counts.conversations, counts.messages), (2, 5))
        self.assertEqual((counts.groups, counts.members, counts.cursors), (1, 2, 2))

    def test_nothing(self) -> None:
        """
        An export of an empty store has two lines and no record.
        """
        self.assertEqual(read(file_of()), [])
        self.assertEqual(len(file_of()), 2)

    def test_hash_is_of_the_records(self) -> None:
        """
        The hash does not depend on the time of the export, or on its pieces.
        """
        one, other = LineWriter(), LineWriter()
        one.begin(7)
        one.write(RECORDS)
        other.begin(8)
        for record in RECORDS:
            other.write([record])
        self.assertEqual(one.end(), other.end())

    def test_checks_are_near(self) -> None:
        """
        A hash follows at most a few hundred records.
        """
        file = file_of(*lines_for(talk(1200)))
        checks = [n for n, line in enumerate(file) if b'"check"' in line]
        self.assertEqual(checks, [501, 1002, 1203])
        sizes = [len(b.records) for b in LineReader().batches(file)]
        self.assertEqual(sizes, [500, 500, 200])

    @given(st.text(), st.text(min_size=1), st.integers(1, 2**63 - 1))
    def test_any_text(self, content: str, client_id: str, number: int) -> None:
        """
        Any text and any number are read as they were written.
        """
        message = Message("u:1:2", number, client_id, number, content, 1, 0, number)
        try:
            message.content.encode()
            message.client_id.encode()
        except UnicodeEncodeError:
            return
        records = lines_for([message])
        self.assertEqual(read(file_of(*records)), records)


class ResumedTests(SynchronousTestCase):
    """
    A file that was cut off is continued.
    """

    def test_any_cut(self) -> None:
        """
        Wherever the file was cut, a second writer completes it to what it would have
        been.
        """
        records = lines_for(talk(1100))
        whole = file_of(*records)
        for count in (0, 1, 2, 300, 501, 502, 503, 1002, 1003, 1104, len(whole)):
            cut = [*whole[:count], b'{"type":"mess']
            hashed, size = intact_part(cut)
            kept = b"".join(cut)[:size]
            writer = LineWriter(hashed)
            if not size:
                kept = writer.begin(7)
            rest = [record for record in records if record.key > writer.last]
            file = kept + writer.write(rest) + writer.end()
            self.assertEqual(file, b"".join(whole))

    def test_something_else(self) -> None:
        """
        A file that is not an export has no intact part.
        """
        self.assertEqual(intact_part([b"hello\n", b"you\n"])[1], 0)
        self.assertEqual(intact_part([])[1], 0)


class BadFileTests(SynchronousTestCase):
    """
    A damaged file is reported by line and reason, and nothing of it is accepted.
    """

    def assert_bad(self, file: list[bytes], *told: str) -> None:
        """
        Check that reading fails with these words.
        """
        reason = str(self.assertRaises(BadFile, read, file))
        for words in told:
            self.assertIn(words, reason)

    def altered(self, line: int, change: Callable[[bytes], bytes]) -> list[bytes]:
        """
        Return a valid file except for one line, counted from 1.
        """
        file = file_of(*RECORDS)
        file[line - 1] = change(file[line - 1])
        return file

    def test_not_json(self) -> None:
        """
        A line that is not JSON is reported.
        """
        self.assert_bad(self.altered(3, lambda _: b"hello\n"), "line 3: ", "JSON")
        self.assert_bad(self.altered(3, lambda _: b"\xff\xfe\n"), "line 3: ")
        self.assert_bad(self.altered(3, lambda _: b"[" * 100_000 + b"\n"), "line 3: ")

    def test_not_ours(self) -> None:
        """
        A file of another kind is reported at its first line.
        """
        for first in (b"hello\n", b"{}\n", b"\n", b'{"type":"end"}\n'):
            self.assert_bad([first], "line 1: ")
        first = file_of(*RECORDS)[1]
        self.assert_bad([first], "line 1: not an export of wsmsg")

    def test_bad_marks(self) -> None:
        """
        Ranges above a cursor must rise and must not touch; others are reported by line.
        """
        for seen in (
            ((3, 4),),
            ((2, 4),),
            ((6, 5),),
            ((5, 6), (7, 8)),
            ((8, 8), (5, 5)),
        ):
            record = CursorLine("u:1:2", 1, 3, 2, seen)
            self.assert_bad(file_of(record), "line 2: ", "do not rise above the cursor")

    def test_other_version(self) -> None:
        """
        A format of another version is reported with both versions.
        """
        file = self.altered(1, lambda b: b.replace(b'"version":1', b'"version":2'))
        self.assert_bad(file, "line 1: ", "version 2", "version 1")

    def test_wrong_types(self) -> None:
        """
        Wrong types, values and names are reported with the expected ones.
        """
        for good, bad, told in (
            (b'"seq":2', b'"seq":"2"', "`$.seq`"),
            (b'"seq":2', b'"seq":0', "`$.seq`"),
            (b'"seq":2', b'"seq":9223372036854775808', "`$.seq`"),
            (b'"seq":2', b'"seq":2.5', "`$.seq`"),
            (b'"content":"hello"', b'"content":null', "`$.content`"),
            (b'"content":"hello"', b'"text":"hello"', "text"),
            (b',"content":"hello"', b"", "content"),
            (b'"type":"message"', b'"type":"letter"', "letter"),
            (b'"client_id":"c2"', b'"client_id":""', "`$.client_id`"),
            (b'"g:7"', b'"g:07"', "g:07"),
        ):
            file = self.altered(3, lambda b, x=good, y=bad: b.replace(x, y))  # type: ignore[misc]
            self.assert_bad(file, "line 3: ", told)

    def test_out_of_order(self) -> None:
        """
        Records that are out of order or repeated are reported.
        """
        file = file_of(*RECORDS)
        self.assert_bad([*file[:2], file[1], *file[2:]], "line 3: ", "not sort after")
        self.assert_bad(
            [file[0], file[2], file[1], *file[3:]], "line 3: ", "not sort after"
        )

    def test_altered(self) -> None:
        """
        The hash reveals an altered text, with the lines between which it is.
        """
        file = self.altered(8, lambda b: b.replace(b"hello", b"hallo"))
        self.assert_bad(file, "between line 2 and line 12", "altered")

    def test_line_removed(self) -> None:
        """
        The hash reveals a removed record.
        """
        file = file_of(*RECORDS)
        self.assert_bad([*file[:4], *file[5:]], "between line 2 and line 11")

    def test_cut(self) -> None:
        """
        A cut is reported wherever it is, and a part of a batch is not accepted.
        """
        whole = b"".join(file_of(*RECORDS))
        for end in range(0, len(whole), 7):
            cut = whole[:end].splitlines(keepends=True)
            self.assert_bad(cut)
        self.assert_bad([], "before it began")
        self.assert_bad(file_of(*RECORDS)[:-1], "its last line is missing")

    def test_end_is_wrong(self) -> None:
        """
        The end of another file is reported.
        """
        other = file_of(*lines_for(talk(4)))[-1]
        self.assert_bad(self.altered(13, lambda _: other), "line 13: ", "hash")
        end = json.loads(file_of(*RECORDS)[-1])
        end["counts"]["messages"] += 1
        line = json.dumps(end).encode() + b"\n"
        self.assert_bad(self.altered(13, lambda _: line), "line 13: ", "counts")

    def test_more_after_the_end(self) -> None:
        """
        Two files in one are refused.
        """
        file = file_of(*RECORDS)
        self.assert_bad(
            [*file, *file], "line 14: lines follow the last line of the export"
        )
        self.assert_bad([file[0], *file], "line 2: a second header")

    def test_end_without_a_check(self) -> None:
        """
        Records without a hash after them are not accepted.
        """
        file = file_of(*RECORDS)
        self.assert_bad([*file[:-2], file[-1]], "hash of the records", "missing")
        many = [line for line in file_of(*lines_for(talk(600))) if b"check" not in line]
        self.assert_bad(many, "line 502: ", "hash")

    def test_endless_line(self) -> None:
        """
        A line without an end is refused at a limit.
        """
        self.patch(lines, "LONGEST_LINE", 1000)
        file = file_of(*RECORDS)[0] + b"x" * 5000
        pieces = list(lines_of(io.BytesIO(file)))
        self.assertLessEqual(max(map(len, pieces)), 1000)
        self.assert_bad(pieces, "line 2: too long")
