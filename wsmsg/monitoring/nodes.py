"""
The other nodes of the system, as one daemon knows them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs

from wsmsg.monitoring.words import shown_time

#: A node that is gone is shown for so long: as long as the charts of the status page
#: reach back.
GONE_S = 900.0
#: The most nodes that are shown.
MOST = 500


@attrs.frozen
class PeerNode:
    """
    Another node.

    @ivar name: its node id, or its address where that is all that is known.
    @ivar kind: C{connect} or C{message}.
    @ivar up: whether it answers.
    @ivar about: further facts, in words.
    @ivar page: the URL of its status page; empty: not known.
    """

    name: str
    kind: str
    up: bool
    about: str
    page: str = ""

    def document(self, since: str) -> Mapping[str, object]:
        """
        Return the node for C{/status}.

        @param since: the time since which it answers, or does not.
        """
        told = {"node": self.name, "kind": self.kind, "up": self.up}
        more = {"page": self.page} if self.page else {}
        return {**told, "since": since, "about": self.about, **more}


@attrs.frozen
class _Seen:
    node: PeerNode
    since_s: float
    changed_s: float


class KnownNodes:
    """
    The nodes that a daemon knows, and for a while those that it has known: a node that
    does not answer is named, not left out.

    @param seconds: returns the time of the monotonic clock.
    @param unix_s: returns the unix time.
    @param gone: what is said of a node that is known no more, by its kind.
    """

    def __init__(
        self,
        seconds: Callable[[], float],
        unix_s: Callable[[], float],
        gone: Mapping[str, str],
    ) -> None:
        self._seconds = seconds
        self._unix_s = unix_s
        self._gone = gone
        self._seen: dict[tuple[str, str], _Seen] = {}

    def look(self, present: Iterable[PeerNode]) -> None:
        """
        Note the nodes that are known now.
        """
        now_s = self._seconds()
        found = {(node.kind, node.name): node for node in present}
        for key, seen in list(self._seen.items()):
            if key in found:
                continue
            if now_s - seen.changed_s >= GONE_S and not seen.node.up:
                del self._seen[key]
            else:
                about = self._gone[seen.node.kind]
                self._note(attrs.evolve(seen.node, up=False, about=about))
        for node in found.values():
            self._note(node)

    def document(self) -> Sequence[Mapping[str, object]]:
        """
        Return the nodes for C{/status}: those that do not answer first.
        """
        ordered = sorted(
            self._seen.values(), key=lambda s: (s.node.up, s.node.kind, s.node.name)
        )
        return [seen.node.document(shown_time(seen.since_s)) for seen in ordered]

    def _note(self, node: PeerNode) -> None:
        key = (node.kind, node.name)
        seen = self._seen.get(key)
        if seen is None and len(self._seen) >= MOST:
            return
        if seen is not None and seen.node.up == node.up:
            self._seen[key] = attrs.evolve(seen, node=node)
        else:
            self._seen[key] = _Seen(node, self._unix_s(), self._seconds())
