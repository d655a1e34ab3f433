"""
The context of a trace: the text that carries it.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from wsmsg.tracing.context import (
    LENGTH,
    child_of,
    ids_of,
    is_traced,
    new_trace,
    read_traceparent,
    trace_id_of,
)

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
SAMPLED = f"00-{TRACE}-{SPAN}-01"


class ReadTests(SynchronousTestCase):
    """
    Contexts that clients send.
    """

    def test_sampled(self) -> None:
        """
        The flags tell whether the client has sampled its span; other flags are for
        others.
        """
        for flags, sampled in (
            ("01", True),
            ("00", False),
            ("03", True),
            ("fe", False),
        ):
            with self.subTest(flags=flags):
                read = read_traceparent(f"00-{TRACE}-{SPAN}-{flags}")
                self.assertEqual(read, (SAMPLED, bool(sampled)))

    def test_later_version(self) -> None:
        """
        A later version may append fields, which are ignored.
        """
        self.assertEqual(read_traceparent(f"cc-{TRACE}-{SPAN}-01"), (SAMPLED, True))
        self.assertEqual(
            read_traceparent(f"cc-{TRACE}-{SPAN}-01-what-comes"), (SAMPLED, True)
        )

    def test_wrong(self) -> None:
        """
        Everything else is no context, however it looks.
        """
        for text in (
            *("", "00", "x" * 55, "0" * 55, f"{SAMPLED}\n", f" {SAMPLED}"),
            *(f"ff-{TRACE}-{SPAN}-01", f"{SAMPLED}-more", SAMPLED.upper()),
            *(f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01"),
            *(f"00-{TRACE[1:]}-{SPAN}-01", f"00-{TRACE}-{SPAN}-1", SAMPLED[:-1]),
            *(SAMPLED.replace("7", "７"), f"cc-{TRACE}-{SPAN}-01-{'x' * 1000}"),
        ):
            with self.subTest(text=text):
                self.assertIsNone(read_traceparent(text))


class OwnTests(SynchronousTestCase):
    """
    Contexts that daemons write.
    """

    def test_new(self) -> None:
        """
        Each trace has ids of its own, and is one that daemons take.
        """
        one, other = new_trace(), new_trace()
        self.assertTrue(is_traced(one))
        self.assertEqual(len(one), LENGTH)
        self.assertNotEqual(trace_id_of(one), trace_id_of(other))
        self.assertEqual(read_traceparent(one), (one, True))

    def test_child(self) -> None:
        """
        Another span of a trace keeps the id of the trace.
        """
        child = child_of(SAMPLED)
        self.assertTrue(is_traced(child))
        self.assertEqual(trace_id_of(child), TRACE)
        self.assertNotEqual(ids_of(child)[1], ids_of(SAMPLED)[1])
        self.assertEqual(ids_of(SAMPLED), (int(TRACE, 16), int(SPAN, 16)))

    def test_others(self) -> None:
        """
        No other text is taken from another daemon or from a record: no context that is
        not sampled, nor one of another version.
        """
        for text in ("", f"00-{TRACE}-{SPAN}-00", f"01-{TRACE}-{SPAN}-01", "x" * 55):
            with self.subTest(text=text):
                self.assertFalse(is_traced(text))
