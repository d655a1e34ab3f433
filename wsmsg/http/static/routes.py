"""
Routes that serve a static page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from wsmsg.http.access import AccessLevel
from wsmsg.http.errors import Conventions
from wsmsg.http.routes import Call, Reply, Route, Text
from wsmsg.http.static.files import StaticFile, read_files
from wsmsg.http.static.headers import policy, static_headers

# Links to a page may have arguments that mean something to others.
_LENIENT = Conventions("pages", lenient=True)


def static_routes(
    folder: Path,
    *,
    index: str,
    below: str,
    connect: Sequence[str] = ("'self'",),
    access: AccessLevel = AccessLevel.ANYBODY,
) -> Sequence[Route]:
    """
    Read a page, and return its routes.

    @param folder: of a package; see L{read_files}.
    @param index: the path of C{index.html}, such as C{/chat}.
    @param below: the path below which the other files are, with a slash at its end.
    @param connect: the sources that scripts of the page may connect to.
    @param access: for everybody, as a page tells nothing but itself; with
        C{UNLIMITED}, links on pages of other sites lead to it too.
    """
    sources = policy(connect)
    paths = {
        file: index if file.name == "index.html" else below + file.name
        for file in read_files(folder)
    }
    return [
        _route(path, file, static_headers(file.etag, sources), access)
        for file, path in paths.items()
    ]


def _route(
    path: str, file: StaticFile, headers: Mapping[str, str], access: AccessLevel
) -> Route:
    async def answer(call: Call) -> Reply:
        if file.is_known(call.if_none_match):
            return Reply(304, headers=headers)
        return Reply(200, Text(file.content_type, file.body), headers=headers)

    return Route(
        f"GET {path.removeprefix('/')}",
        answer,
        {200: Text, 304: None},
        access=access,
        conventions=_LENIENT,
        root="/",
    )
