"""
The messages of a scripted Message, in memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from tests.conformance.contract import sender_of

UNREAD, READ, RECALLED = 0, 1, 2


class Stored:
    """
    One message.

    @param message: a C{WSMessage} with an id.
    @param at: unix seconds at which it was stored.
    @ivar id: its opaque id in the HTTP API.
    """

    def __init__(self, message: Any, at: float) -> None:
        self.message = message
        self.id = f"{message.message_id:024x}"
        self.status = UNREAD
        self.created = self.updated = at

    def document(self) -> dict[str, Any]:
        """
        Return the message as a document of the HTTP API.
        """
        m = self.message
        return {
            "id": self.id,
            "message_id": m.message_id,
            "from": sender_of(m),
            "to": m.to,
            "group_id": m.group_id,
            "content": m.content,
            "msg_type": m.message_type,
            "status": self.status,
            "created_at": _date(self.created),
            "updated_at": _date(self.updated),
        }


def _date(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


class Store:
    """
    All messages, oldest first.
    """

    def __init__(self) -> None:
        self.stored: list[Stored] = []

    def add(self, stored: Stored) -> None:
        """
        Add a message; of two with the same id only the first is kept, as legacy peers
        do.
        """
        if all(s.message.message_id != stored.message.message_id for s in self.stored):
            self.stored.append(stored)

    def of(self, user: int, group: int) -> list[Stored]:
        """
        Return the messages that a user sent or received, or the messages of a group.
        """
        if group:
            return [s for s in self.stored if s.message.group_id == group]
        return [
            s
            for s in self.stored
            if not s.message.group_id and user in (sender_of(s.message), s.message.to)
        ]

    def unread(self, user: int) -> list[Stored]:
        """
        Return the messages to a user that the user has not read.
        """
        return [s for s in self.stored if s.message.to == user and s.status == UNREAD]

    def mark_read(self, user: int, ids: Iterable[int | str]) -> int:
        """
        Mark messages to a user, by either of their ids, as read.

        @return: the number of known messages among them.
        """
        wanted = set(ids)
        count = 0
        for stored in self.stored:
            if stored.message.to == user and (
                stored.id in wanted or stored.message.message_id in wanted
            ):
                stored.status = READ
                count += 1
        return count
