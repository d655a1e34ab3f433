"""
Pages of the messages in the memory of a test.
"""

from __future__ import annotations

from collections.abc import Iterable

from wsmsg.message.store.interface import PageSpan
from wsmsg.model import Message


def page_of(messages: Iterable[Message], span: PageSpan) -> list[Message]:
    """
    Return a page of the messages of one conversation, in the simplest way.
    """
    between = [
        m
        for m in messages
        if m.seq > span.after and (not span.before or m.seq < span.before)
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
