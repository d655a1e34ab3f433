"""
Validation of a send request in itself.
"""

from __future__ import annotations

import sys

from wsmsg.errors import BadRequest, Forbidden, TooLarge, WsmsgError
from wsmsg.events import EVENT_KINDS
from wsmsg.events.kind import InvalidContent
from wsmsg.message.ingress.interface import EXTRA_BYTES, SendRequest
from wsmsg.model import FIRST_EVENT, InvalidName, group_in, is_group, members_of


def validate(
    request: SendRequest, content_bytes: int, journal_bytes: int = sys.maxsize
) -> WsmsgError | None:
    """
    Return what is wrong with a request in itself, if anything.  Membership of groups
    is not checked here.

    @param content_bytes: the longest content, in bytes of UTF-8.
    @param journal_bytes: the longest content that the journal takes.
    """
    client_id = request.client_id
    n_bytes = len(client_id) if client_id.isascii() else _utf8_bytes(client_id)
    if not n_bytes or n_bytes > 64:
        return BadRequest("client_id must have 1 to 64 bytes of UTF-8")
    if request.kind >= FIRST_EVENT:
        return _event_problem(request, journal_bytes)
    try:
        if is_group(request.conversation):
            group_in(request.conversation)
        elif request.sender not in members_of(request.conversation):
            return Forbidden("the sender is not in the conversation")
    except InvalidName as e:
        return BadRequest(str(e))
    if request.extra:
        problem = _extra_problem(request.extra)
        if problem is not None:
            return problem
        content_bytes = min(content_bytes, journal_bytes - EXTRA_BYTES)
    content = request.content
    if request.kind < 0 or "\0" in content:
        return BadRequest("kind is negative, or content has the character U+0000")
    if content.isascii() and len(content) <= content_bytes:
        return None
    return _size_problem(content, content_bytes)


def _size_problem(content: str, limit: int) -> WsmsgError | None:
    n_bytes = _utf8_bytes(content)
    if n_bytes is None:
        return BadRequest("content is not valid Unicode: lone surrogate")
    if n_bytes > limit:
        return TooLarge(f"content has {n_bytes} bytes, the limit is {limit}")
    return None


def _extra_problem(extra: str) -> WsmsgError | None:
    n_bytes = _utf8_bytes(extra)
    if n_bytes is None or "\0" in extra:
        return BadRequest("extra is not valid Unicode, or has the character U+0000")
    if n_bytes > EXTRA_BYTES:
        return BadRequest(f"extra has {n_bytes} bytes, the limit is {EXTRA_BYTES}")
    return None


def _utf8_bytes(text: str) -> int | None:
    """
    Return the number of bytes in UTF-8, or L{None} if the text has surrogates.
    """
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return None


def _event_problem(request: SendRequest, journal_bytes: int) -> WsmsgError | None:
    kind = EVENT_KINDS.get(request.kind)
    if kind is None:
        return BadRequest(f"messages of kind {request.kind} cannot be sent")
    if kind.content_bytes:
        text = request._replace(kind=0)
        problem = validate(text, kind.content_bytes, journal_bytes)
        if problem is not None:
            return problem
    try:
        kind.validate(request)
    except (InvalidName, InvalidContent) as e:
        return BadRequest(str(e))
    except WsmsgError as e:
        return e
    return _size_problem(request.content, journal_bytes)
