"""
The load of this Connect, as Message is told of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import attrs

from wsmsg.connect.session.moves.alternatives import OtherConnect
from wsmsg.rpc import rest_pb2


def load_of(connect: OtherConnect) -> rest_pb2.ConnectLoad:
    """
    Return the load of a Connect, for the stream.
    """
    return rest_pb2.ConnectLoad(**attrs.asdict(connect))


def connect_of(load: rest_pb2.ConnectLoad) -> OtherConnect:
    """
    Return the Connect that a load is of.
    """
    return OtherConnect(
        load.node,
        load.url,
        load.sessions,
        load.most_sessions,
        load.accepting,
        load.status_page,
    )


class LoadListener(Protocol):
    """
    A stream to a Message.
    """

    def load(self, load: rest_pb2.ConnectLoad) -> None:
        """
        Tell the Message how much this Connect carries.
        """


#: Seconds between two reports of the number of sessions.
_LOAD_S = 1.0


class LoadReport:
    """
    Tells each Message the load when it has changed: another number of sessions once a
    second, anything else at once.

    @param read: returns the load.
    @param seconds: returns the time of the monotonic clock.
    """

    def __init__(
        self,
        read: Callable[[], rest_pb2.ConnectLoad],
        seconds: Callable[[], float],
    ) -> None:
        self._read = read
        self._seconds = seconds
        self._load: rest_pb2.ConnectLoad | None = None
        self._read_s = 0.0
        self._told: dict[LoadListener, rest_pb2.ConnectLoad] = {}

    def look(self, streams: Iterable[LoadListener]) -> None:
        """
        Tell the Messages that do not know it yet; called several times a second.

        @param streams: all streams that are up.
        """
        load, before, now_s = self._read(), self._load, self._seconds()
        if (
            before is not None
            and now_s - self._read_s < _LOAD_S
            and load.accepting == before.accepting
        ):
            load = before
        else:
            self._load, self._read_s = load, now_s
        told, self._told = self._told, {}
        for stream in streams:
            self._told[stream] = load
            if told.get(stream) != load:
                stream.load(load)
