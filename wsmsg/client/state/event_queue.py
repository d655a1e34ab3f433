"""
The queue of events for the program, bounded whatever the program does.

A program that only sends never takes an event.  So a newer event replaces an older one
of the same kind where only the newest matters, and drops the oldest one otherwise.
Messages, which must not be lost, are not queued while there is no room: the client asks
for them later.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable

from wsmsg.client.state.events import (
    Event,
    PresenceChanged,
    ReceiptReceived,
    Stored,
    TypingReceived,
)


class EventQueue:
    """
    Events in their order.

    Args:
        messages: most messages in the queue; as many other events fit.
    """

    def __init__(self, messages: int) -> None:
        self._limit = messages
        self._messages = 0
        self._waiting: OrderedDict[Hashable, Event] = OrderedDict()
        self._other: OrderedDict[Hashable, None] = OrderedDict()
        self._made = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def room(self) -> int:
        """
        The number of messages that still fit.
        """
        return self._limit - self._messages

    def put(self, event: Event) -> None:
        """
        Queue an event; a receipt, presence or typing event replaces the one before it.
        """
        if isinstance(event, Stored):
            self._messages += 1
            self._made += 1
            self._waiting[self._made] = event
            return
        key = self._key(event)
        self._waiting[key] = event
        self._other[key] = None
        if len(self._other) > self._limit:
            oldest, _ = self._other.popitem(last=False)
            del self._waiting[oldest]

    def take(self) -> Event | None:
        """
        Remove and return the oldest event; `None` if there is none.
        """
        if not self._waiting:
            return None
        key, event = self._waiting.popitem(last=False)
        if isinstance(event, Stored):
            self._messages -= 1
        else:
            del self._other[key]
        return event

    def _key(self, event: Event) -> Hashable:
        match event:
            case ReceiptReceived(conversation, user):
                return "receipt", conversation, user
            case PresenceChanged(user):
                return "presence", user
            case TypingReceived(conversation, user):
                return "typing", conversation, user
            case _:
                self._made += 1
                return self._made


class Events:
    """
    An iterator over the events, for one reader.
    """

    def __init__(self, take: Callable[[], Awaitable[Event | None]]) -> None:
        self._take = take

    def __aiter__(self) -> Events:
        return self

    async def __anext__(self) -> Event:
        event = await self._take()
        if event is None:
            raise StopAsyncIteration
        return event
