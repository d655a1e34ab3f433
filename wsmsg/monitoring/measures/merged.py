"""
Pages of metrics of several processes as one page, in the text format of Prometheus
(0.0.4).

A sample of a worker gets the label C{worker}, so each series belongs to one process: a
counter that begins again at 0, because its worker died, is a reset as Prometheus knows
it, and no other series jumps.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import attrs

_SAMPLE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? +(\S+)")
_LABEL = re.compile(r'\w+="((?:[^"\\]|\\.)*)"')


@attrs.frozen
class FamilyText:
    """
    A family of metrics in a page.

    @ivar head: the lines of its help and its type.
    @ivar samples: the lines of its samples.
    """

    head: list[str] = attrs.field(factory=list)
    samples: list[str] = attrs.field(factory=list)


Families = Mapping[str, FamilyText]
Number = int | float


def families_in(page: str) -> Families:
    """
    Return the families of a page by their names.
    """
    found: dict[str, FamilyText] = {}
    family = FamilyText()
    for line in page.splitlines():
        if line.startswith(("# HELP ", "# TYPE ")):
            family = found.setdefault(line.split(" ", 3)[2], FamilyText())
            family.head.append(line)
        elif line and not line.startswith("#"):
            family.samples.append(line)
    return found


def merged(own: Families, workers: Mapping[int, Families]) -> str:
    """
    Return the page of all: each family once, with the samples of the supervisor, which
    have no worker, and then those of each worker.
    """
    names = dict.fromkeys([*own, *(name for each in workers.values() for name in each)])
    return "".join(f"{line}\n" for name in names for line in _lines(name, own, workers))


def _lines(name: str, own: Families, workers: Mapping[int, Families]) -> Iterator[str]:
    none = FamilyText()
    everybody = [own.get(name, none), *(w.get(name, none) for w in workers.values())]
    yield from next(family.head for family in everybody if family.head)
    yield from everybody[0].samples
    for number, families in workers.items():
        for line in families.get(name, none).samples:
            yield labelled(line, number)


def labelled(line: str, worker: int) -> str:
    """
    Return a sample with the label of a worker.
    """
    label = f'worker="{worker}"'
    end = re.match(r"[\w:]*", line)
    at = 0 if end is None else end.end()
    name, rest = line[:at], line[at:]
    if rest.startswith("{}"):
        return f"{name}{{{label}}}{rest[2:]}"
    if rest.startswith("{"):
        return f"{name}{{{label},{rest[1:]}"
    return f"{name}{{{label}}}{rest}"


def summed(name: str, workers: Sequence[Families]) -> Mapping[str, Number]:
    """
    Return the values of a metric over all workers, by the value of its label: the sum,
    or of a duration the longest.

    @param name: without the suffix C{_total}.
    """
    found: dict[str, Number] = {}
    for families in workers:
        family = families.get(name) or families.get(f"{name}_total")
        for line in family.samples if family else ():
            sample = _SAMPLE.match(line)
            if sample is None:
                continue
            key, value = "".join(_LABEL.findall(sample[2] or "")), _number(sample[3])
            if name.endswith("_seconds"):
                found[key] = max(found.get(key, 0), value)
            else:
                found[key] = found.get(key, 0) + value
    return found


def _number(text: str) -> Number:
    value = float(text)
    return int(value) if value.is_integer() else value
