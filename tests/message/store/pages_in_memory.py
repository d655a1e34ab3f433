"""
Pages of the messages in the memory of a test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from wsmsg.errors import Forbidden
from wsmsg.message.store.interface import PageSpan
from wsmsg.model import Message, is_group


def page_of(
    messages: Iterable[Message],
    conversation: str,
    span: PageSpan,
    readable_from: Callable[[Sequence[tuple[str, int]]], dict[tuple[str, int], int]],
) -> list[Message]:
    """
    Return a page of the messages of a conversation, in the simplest way.
    """
    after = span.after
    if span.reader and is_group(conversation):
        key = (conversation, span.reader)
        first = readable_from([key]).get(key)
        if first is None:
            raise Forbidden(f"{span.reader} is not in {conversation}")
        after = max(after, first - 1)
    between = [
        m
        for m in messages
        if m.conversation == conversation
        and m.seq > after
        and not (span.reader and m.is_withheld_from(span.reader))
        and (not span.before or m.seq < span.before)
    ]
    between.sort(key=lambda m: m.seq, reverse=bool(span.before))
    page: list[Message] = []
    size = 0
    for message in between[: span.limit]:
        size += len(message.content.encode())
        if page and size > span.limit_bytes:
            break
        page.append(message)
    return sorted(page, key=lambda m: m.seq)
