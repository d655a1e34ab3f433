"""
The law of ownership can find what breaks it.
"""

from __future__ import annotations

from tests import laws_of_objects
from tests.syntax import Module, parsed
from tests.test_laws import LawTestCase


class OwnershipLawTests(LawTestCase):
    """
    The law of ownership against samples that break it, and samples that keep it.
    """

    def assert_written(self, source: str, *, line: int) -> None:
        """
        Fail unless this line, and no other, writes an attribute from outside.
        """
        bad = parsed("wsmsg.a", source)
        self.assert_finds(
            laws_of_objects.law_of_ownership, bad, at=f"wsmsg/a.py:{line}"
        )

    def assert_open(self, source: str, *others: Module) -> None:
        """
        Fail if a function writes an attribute from outside.
        """
        good = parsed("wsmsg.a", source)
        self.assert_keeps(laws_of_objects.law_of_ownership, good, *others)

    def test_written(self) -> None:
        """
        An attribute of another object is found, however it is written; one of the
        object itself is let through.
        """
        for line in (
            "self.link.primary = True",
            "link.primary = True",
            "a, link.primary = 1, True",
            "links[0].primary = True",
            "link.stream.unanswered += 1",
            "del link.primary",
            "for link.primary in links: pass",
            "with a as link.primary: pass",
        ):
            self.assert_written(f"def f(self, link, links):\n    {line}\n", line=2)
        self.assert_open("def f(self):\n    self.a, self.b = 1, 2\n    del self.a\n")

    def test_new_objects(self) -> None:
        """
        A function fills an object that it has just made, and none that it was given by
        another call.
        """
        self.assert_open("def f():\n    x = a.Thing(1)\n    x.b = x.c.d = 1\n")
        self.assert_open("def f(self):\n    self.x = Thing(1)\n    self.x.b = 1\n")
        self.assert_written("def f():\n    x = things.get(1)\n    x.b = 1\n", line=3)
        either = "    x = find()\n    if not x:\n        x = Thing()\n    x.b = 1\n"
        self.assert_written(f"def f():\n{either}", line=5)

    def test_messages(self) -> None:
        """
        A protobuf message is filled, wherever it comes from.
        """
        source = "from wsmsg.rpc import a_pb2 as pb\n\n"
        self.assert_open(f"{source}def f(to: pb.A):\n    to.a.b = 1\n    to.c.d = 2\n")
        inner = "def f(to: pb.A):\n    x = to.xs.add()\n    x.b = 1\n"
        self.assert_open(source + inner)
        self.assert_written("def f(to: other.A):\n    to.a = 1\n", line=2)

    def test_counters(self) -> None:
        """
        A field of a record of counters is added to, and not set.
        """
        record = parsed("wsmsg.b", "class MyCounters(Counters):\n    sends: int = 0\n")
        self.assert_open("def f(self):\n    self.a.counters.sends += 1\n", record)
        self.assert_written("def f(self):\n    self.a.counters.sends += 1\n", line=2)
        law = laws_of_objects.law_of_ownership
        for line in (
            "self.a.counters.sends = 1",
            "self.a.counters.other += 1",
            "self.a.sends += 1",
        ):
            bad = parsed("wsmsg.a", f"def f(self):\n    {line}\n")
            self.assert_finds(law, record, bad, at="wsmsg/a.py:2")

    def test_libraries(self) -> None:
        """
        An attribute that a library wants to be assigned is let through.
        """
        self.assert_open("def f(self, transport):\n    transport.protocol = self\n")
        self.assert_written("def f(self, transport):\n    transport.x = self\n", line=2)
