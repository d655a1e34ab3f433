"""
C{/dead-letters} on Message's admin listener, which C{wsmsg dead-letters} asks.

C{GET /dead-letters?after=0&limit=100} lists, C{POST /dead-letters/replay} with
C{{"numbers": [..]}} puts records back into the journal.
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from wsmsg.errors import BadRequest, Internal, WsmsgError
from wsmsg.message.journal.interface import DeadLetter, IJournal

_PAGE = 1000
_REASON = 200


class DeadLettersResource(Resource):
    """
    Lists the dead letters.
    """

    def __init__(self, journal: IJournal) -> None:
        Resource.__init__(self)
        self._journal = journal
        self.putChild(b"replay", _ReplayResource(journal))

    def render_GET(self, request: Request) -> int:
        return _answer(request, self._list(request))

    async def _list(self, request: Request) -> dict[str, Any]:
        after = _number(request, b"after", 0)
        limit = min(_number(request, b"limit", 100), _PAGE)
        letters = await self._journal.dead_letters(after, limit + 1)
        return {
            "dead_letters": [_spell(letter) for letter in letters[:limit]],
            "more": len(letters) > limit,
        }


class _ReplayResource(Resource):
    """
    Puts dead letters back into the journal.
    """

    isLeaf = True

    def __init__(self, journal: IJournal) -> None:
        Resource.__init__(self)
        self._journal = journal

    def render_POST(self, request: Request) -> int:
        return _answer(request, self._replay(request))

    async def _replay(self, request: Request) -> dict[str, Any]:
        assert request.content is not None
        try:
            body = msgspec.json.decode(request.content.read(), type=_Replay)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
            reason = str(e)[:_REASON]
            raise BadRequest(f"the body must be {{'numbers': [..]}}: {reason}") from e
        return {"replayed": list(await self._journal.replay(body.numbers))}


class _Replay(msgspec.Struct):
    numbers: list[int]


def _spell(letter: DeadLetter) -> dict[str, Any]:
    return {
        "number": letter.number,
        "partition": letter.partition,
        "offset": letter.offset,
        "reason": letter.reason,
        "time_ms": letter.time_ms,
        "size": len(letter.value),
        "value_base64": base64.b64encode(letter.value).decode(),
    }


def _number(request: Request, name: bytes, default: int) -> int:
    given = (request.args or {}).get(name, [b""])[0]
    if not given:
        return default
    if not given.isdigit() or len(given) > 18:
        raise BadRequest(f"{name.decode()} must be a whole number")
    return int(given)


_log = Logger()


def _answer(request: Request, answering: Any) -> int:
    def write(status: int, body: dict[str, Any]) -> None:
        request.setResponseCode(status)
        request.setHeader(b"content-type", b"application/json")
        request.write(msgspec.json.encode(body))
        request.finish()

    async def run() -> None:
        try:
            write(200, await answering)
        except WsmsgError as e:
            write(e.http_status, {"error": e.code, "reason": e.reason})
        except Exception:  # noqa: BLE001 - a guard
            _log.failure("answering {path}", path=request.path.decode("latin-1"))
            write(500, {"error": Internal.code, "reason": "see the log"})

    gone: list[object] = []
    request.notifyFinish().addErrback(gone.append)
    Deferred.fromCoroutine(run())
    return NOT_DONE_YET
