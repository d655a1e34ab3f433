"""
The Connects and the other Messages, as this Message knows them: the Connects by their
streams, the Messages by the list in Redis and by what Connects tell of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from wsmsg.monitoring.nodes import PeerNode

#: What is said of a node that this Message knew, and knows no more.
GONE = {
    "connect": "its stream ended, and it has not come back",
    "message": "it is not in the list of Messages any more",
}


def peer_nodes(
    links: Iterable[Mapping[str, object]],
    own: str,
    listed: Iterable[str],
    unreached: Mapping[str, Sequence[str]],
) -> Iterator[PeerNode]:
    """
    Yield the other nodes.

    @param links: as C{/status} shows them.
    @param own: the address of this Message in the list.
    @param listed: the addresses in the list of Messages.
    @param unreached: by address, the Connects that do not reach that Message.
    """
    for link in links:
        kind = "message" if link["everything"] else "connect"
        about = f"{link['users']} users"
        if link["unacknowledged"]:
            about += (
                f", {link['unacknowledged']} pushes not acknowledged, the oldest for "
                f"{link['oldest_s']} s"
            )
        if not link["open"]:
            about = "its stream ended a moment ago"
        page = str(link.get("page", ""))
        yield PeerNode(str(link["node"]), kind, bool(link["open"]), about, page)
    for address in listed:
        if address != own:
            missing = unreached.get(address, ())
            about = f"not reached by {', '.join(missing)}" if missing else "in the list"
            yield PeerNode(address, "message", not missing, about)
