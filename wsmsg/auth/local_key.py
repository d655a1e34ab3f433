"""
The key that signs tokens if the settings name none.

Connect or C{wsmsg token}, whichever runs first, creates it in the data directory; both
read it from there.
"""

from __future__ import annotations

import os
import secrets
import stat
import tempfile
from pathlib import Path

FILE_NAME = "token.key"

_BYTES = 48
_LEAST = 32


class TokenKeyUnusable(Exception):
    """
    The key cannot be read or created; the text names the file and the reason.
    """


def local_key(data_dir: Path, *, make: bool = True) -> str:
    """
    Return the HS256 key of a data directory.

    If several processes find no key at the same time, one of them creates it and all
    return the same key.

    @param make: whether to create the key if there is none.
    @return: the key, as text.
    @raise TokenKeyUnusable: there is no key, or other users may read its file.
    """
    path = data_dir / FILE_NAME
    try:
        if make and not path.exists():
            _make(path)
        return _read(path)
    except OSError as e:
        raise TokenKeyUnusable(f"{path}: {e.strerror or e}") from None


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # mkstemp creates files that only their owner may read.
    number, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(number, "w", encoding="ascii") as out:
            out.write(secrets.token_urlsafe(_BYTES) + "\n")
            out.flush()
            os.fsync(out.fileno())
        # A link, unlike a rename, fails if another process was faster; and the key is
        # complete as soon as the name exists.
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(temporary)


def _read(path: Path) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise TokenKeyUnusable(
                f"{path}: other users may read it (mode {mode:o}); if none has, "
                f"chmod 600 {path}, else remove it: a new one is created"
            )
        key = file.read().strip()
    if len(key) < _LEAST:
        raise TokenKeyUnusable(
            f"{path}: has {len(key)} characters, a key has at least {_LEAST}; remove "
            "it: a new one is created"
        )
    return key
