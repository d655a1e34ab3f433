"""
The messages that are withheld from their recipients, who have blocked the senders.

This is decided once for each message, as it is stored, and holds for ever: ending the
block does not show what was sent meanwhile.  The message has its number like any other,
so nothing in the numbers, in the sender's view or in the order depends on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wsmsg.dependency.gather import gather
from wsmsg.events.block import user_target
from wsmsg.events.invitation import INVITATION, decode_invitation
from wsmsg.events.kind import InvalidContent
from wsmsg.message.store.interface import IConversations
from wsmsg.model import Message, other_of


async def withhold(
    store: IConversations, numbered: Sequence[Message]
) -> Sequence[Message]:
    """
    Mark the messages that are withheld, in one look-up, and one more where there are
    any.  Where nobody has ever blocked anybody, this is not called.

    @param numbered: messages with their numbers, rising within each conversation; what
        is below these is stored.
    @raise Unavailable: the store is not available.
    """
    targets = {m: list(_targets(m)) for m in numbered}
    keys = {key for some in targets.values() for key in some}
    if not keys:
        return numbered
    blocked = await store.consent.blocked(list(keys))
    marked = {m for m, some in targets.items() if not blocked.isdisjoint(some)}
    if not marked:
        return numbered
    before = await _before(store, numbered, marked)
    result = []
    for message in numbered:
        decided = message
        if message in marked:
            last = before.get(message.conversation)
            first = message.seq
            if last is not None and _goes_on(last, message):
                first = last.withheld
            decided = message.numbered(message.seq, first)
        before[message.conversation] = decided
        result.append(decided)
    return result


def _goes_on(last: Message, message: Message) -> bool:
    follows = last.seq == message.seq - 1 and last.sender == message.sender
    return follows and bool(last.withheld)


def _targets(message: Message) -> Iterator[tuple[int, str]]:
    """
    Iterate over the recipient of a message in a conversation of two, with each target
    whose block withholds the message.
    """
    recipient = other_of(message.conversation, message.sender)
    if recipient:
        yield recipient, user_target(message.sender)
        if message.kind == INVITATION:
            try:
                yield recipient, decode_invitation(message.content)
            except InvalidContent:
                return


async def _before(
    store: IConversations, numbered: Sequence[Message], marked: set[Message]
) -> dict[str, Message]:
    """
    Return the message before the first one of each conversation with marked messages.
    """
    first: dict[str, int] = {}
    for message in numbered:
        first.setdefault(message.conversation, message.seq)
    names = sorted({m.conversation for m in marked})
    pages = await gather(store.page(n, first[n] - 2, 1) for n in names if first[n] > 1)
    return {m.conversation: m for found, _ in pages for m in found}
