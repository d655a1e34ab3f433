"""
Pages of several processes as one.
"""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.monitoring.measures.merged import families_in, labelled, merged, summed
from wsmsg.monitoring.metrics import Metrics

_ODD = 'a "b" \\ } {c},d=" 1'


def _page(sends: int, oldest_s: float) -> str:
    metrics = Metrics()
    metrics.counter("wsmsg_sends", "Sends").value += sends
    refused = metrics.counters("wsmsg_refused", "Refused", label="code")
    refused["overloaded"].value += sends
    refused[_ODD].value += 1
    metrics.gauge("wsmsg_oldest_seconds", "Oldest", lambda: oldest_s)
    return b"".join(metrics.page().pieces).decode()


class MergedTests(SynchronousTestCase):
    """
    L{merged} and L{summed}.
    """

    def setUp(self) -> None:
        self.one, self.two = _page(3, 0.5), _page(4, 2.25)

    def test_merged(self) -> None:
        """
        Each family is there once, with the samples of the supervisor, which have no
        worker, and those of each worker; labels stay what they are.
        """
        workers = {1: families_in(self.one), 2: families_in(self.two)}
        page = merged(families_in(_page(0, 0)), workers)
        self.assertEqual(page.count("# TYPE wsmsg_sends_total counter\n"), 1)
        found = {
            (s.labels.get("worker", ""), s.labels.get("code", "")): s.value
            for family in text_string_to_metric_families(page)
            for s in family.samples
            if s.name in ("wsmsg_sends_total", "wsmsg_refused_total")
        }
        self.assertEqual(
            found,
            {
                ("", ""): 0,
                ("1", ""): 3,
                ("2", ""): 4,
                ("", "overloaded"): 0,
                ("1", "overloaded"): 3,
                ("2", "overloaded"): 4,
                **{(worker, _ODD): 1 for worker in ("", "1", "2")},
            },
        )

    def test_family_of_one(self) -> None:
        """
        A family that only one process has keeps its help and its type.
        """
        alone = "# HELP a A.\n# TYPE a gauge\na 1.0\n"
        page = merged({}, {1: {}, 2: families_in(alone)})
        self.assertEqual(page, '# HELP a A.\n# TYPE a gauge\na{worker="2"} 1.0\n')

    def test_labelled(self) -> None:
        """
        The label comes first.
        """
        self.assertEqual(labelled("a 1", 3), 'a{worker="3"} 1')
        self.assertEqual(labelled("a{} 1", 3), 'a{worker="3"} 1')
        self.assertEqual(labelled('a{b="} c"} 1', 3), 'a{worker="3",b="} c"} 1')

    def test_summed(self) -> None:
        """
        Counts are added up, by label; of durations the longest counts.
        """
        both = [families_in(self.one), families_in(self.two)]
        self.assertEqual(summed("wsmsg_sends", both), {"": 7})
        refused = summed("wsmsg_refused", both)
        self.assertEqual(refused["overloaded"], 7)
        self.assertEqual(summed("wsmsg_oldest_seconds", both), {"": 2.25})
        self.assertEqual(summed("wsmsg_nothing", both), {})
