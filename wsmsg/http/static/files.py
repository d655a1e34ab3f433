"""
The files of a page, read when the daemon starts.

A folder of a package has them.  What is served is this table alone: no request reaches
the file system, so none can name a file that is not of the page.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import attrs

#: Content types by suffix.  A file with another suffix is not of the page.
CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}

_DIGEST_CHARACTERS = 32


@attrs.frozen
class StaticFile:
    """
    A file of a page.

    @ivar name: its path below the folder, with slashes.
    @ivar etag: the entity tag (RFC 9110 section 8.8.3), which follows from the content.
    """

    name: str
    content_type: str
    body: bytes = attrs.field(repr=False)
    etag: str

    @classmethod
    def of(cls, name: str, body: bytes) -> StaticFile:
        """
        Make the file of this name, whose suffix has to be one of L{CONTENT_TYPES}.
        """
        digest = hashlib.sha256(body).hexdigest()[:_DIGEST_CHARACTERS]
        return cls(name, CONTENT_TYPES[Path(name).suffix], body, f'"{digest}"')

    def is_known(self, if_none_match: str) -> bool:
        """
        Return whether a caller has this content already.

        @param if_none_match: the header of this name; empty: there is none.
        """
        known = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
        return self.etag in known or known == ["*"]


def read_files(folder: Path) -> Sequence[StaticFile]:
    """
    Read the files below a folder, in the order of their names.  Hidden files, and files
    whose suffix is not one of L{CONTENT_TYPES}, are left out.

    @raise FileNotFoundError: there is no C{index.html}, so this is not a page.
    """
    names = {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.suffix in CONTENT_TYPES and path.is_file()
    }
    if "index.html" not in names:
        raise FileNotFoundError(f"there is no index.html in {folder}")
    return [
        StaticFile.of(name, names[name].read_bytes())
        for name in sorted(names)
        if not any(part.startswith(".") for part in name.split("/"))
    ]
