"""
The methods of the client for what is in conversations: replies, history, marks.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from hashlib import sha256

from wsmsg.client.groups import GroupRequests
from wsmsg.client.history import HistoryReader
from wsmsg.client.state.checks import checked
from wsmsg.client.state.events import SendAccepted, Stored
from wsmsg.client.state.exchange import Exchange
from wsmsg.client.upkeep import Upkeep
from wsmsg.model import INT64_MAX, other_of
from wsmsg.protocol import frames


class ConversationRequests(GroupRequests):
    """
    The methods of `Client` for conversations.
    """

    _exchange: Exchange
    _upkeep: Upkeep

    async def reply(
        self, event: Stored, content: str, *, client_id: str = ""
    ) -> SendAccepted:
        """
        Send a message to the conversation of an event, and wait until the server has
        accepted it, like `send`.

        A repeat of the same reply to the same event is the same message.  So a program
        that is killed after a reply, and gets the event again when it runs again, does
        not say it twice.

        Args:
            event: what `events` or `history` returned.
            client_id: the id for the server, if two equal replies to one event are two
                messages; empty: made from the event and the content.

        Raises:
            WsmsgError: the server refused the message for good.
        """
        if not isinstance(event, Stored):
            kind = type(event).__name__
            raise TypeError(f"the event has no place in a conversation: {kind}")
        user = await self._self()
        return await self._accepted(
            frames.Send(
                client_id or _id_of_reply(event, content),
                to=0 if event.group else other_of(event.conversation, user) or user,
                group=event.group,
                content=content,
            )
        )

    def history(
        self,
        conversation: str,
        *,
        after: int = 0,
        before: int | None = None,
        newest_first: bool = False,
        limit: int | None = None,
    ) -> AsyncIterator[Stored]:
        """
        Iterate over the stored messages and events of a conversation::

            async for message in client.history("u:1001:1002", newest_first=True):
                ...

        The client asks the server for a page when the program has come to it, so a long
        history takes little memory, and whoever stops early asks for no more.  What is
        read so does not count as delivered.

        Args:
            after: leave out the messages up to this number.
            before: leave out this number and those above; `None`: up to the end.
            newest_first: begin at the end, and go backwards.
            limit: most messages; `None`: all of them.

        Raises:
            WsmsgError: the server refused, or the client is closed.
        """
        most = INT64_MAX if limit is None else limit
        last = INT64_MAX if before is None else before
        checked(frames.Sync("q", conversation, after=after, limit=limit or 0))
        checked(frames.Sync("q", conversation, after=last))
        reader = HistoryReader(self._ask, lambda: self._exchange.user)
        if newest_first:
            return reader.newest_first(conversation, after, before, most)
        return reader.oldest_first(conversation, after, last, most)

    async def conversations(self) -> list[frames.Head]:
        """
        Read all conversations of the user from the server, least recently changed
        first.

        Raises:
            WsmsgError: the server refused, or the client is closed.
        """
        reader = HistoryReader(self._ask, lambda: self._exchange.user)
        return await reader.conversations()

    def head(self, conversation: str) -> int:
        """
        Return the last known number of a conversation; 0 if there is none.
        """
        return self._exchange.inbound.head(conversation)

    def mark_read(
        self, conversation: str, seq: int = 0, *, message_id: int = 0
    ) -> None:
        """
        Report that the user has read all messages up to a number.  For a server without
        numbers (see `limits.unnumbered`), report one message by its id.
        """
        if seq or message_id:
            mark = checked(frames.Read(conversation, seq, message_id))
            self._exchange.mark_read(mark.conversation, mark.seq, mark.message_id)
        self._upkeep.moved()

    def typing(self, conversation: str) -> None:
        """
        Report that the user is typing.  Without a connection the call has no effect.
        """
        self._exchange.typing(checked(frames.Typing(conversation)).conversation)
        self._upkeep.moved()


def _id_of_reply(event: Stored, content: str) -> str:
    if not (event.seq or event.message_id) or not isinstance(content, str):
        return uuid.uuid4().hex
    place = f"{event.conversation}\0{event.seq}\0{event.message_id}\0"
    said = (place + content).encode("utf-8", "surrogatepass")
    return "re-" + sha256(said).hexdigest()[:40]
