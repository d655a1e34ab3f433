"""
The keys in the data directory, for what the settings name none: C{token.key} signs
tokens, C{peer.key} is what the daemons prove themselves with, and C{admin.key} is what
operators send to admin listeners.

Whichever process needs a key first creates it there; all read it from there.
"""

from __future__ import annotations

import os
import secrets
import stat
import tempfile
from pathlib import Path

from wsmsg.text.counted import counted

FILE_NAME = "token.key"
ADMIN_KEY = "admin.key"

_BYTES = 48
_LEAST = 32
_REMOVE = "remove it: a new one is created"


class TokenKeyUnusable(ValueError):
    """
    The key cannot be read or created; the text names the file and the reason.
    """


def local_key(data_dir: Path, *, make: bool = True, name: str = FILE_NAME) -> str:
    """
    Return a key of a data directory.

    If several processes find no key at the same time, one of them creates it and all
    return the same key.

    @param make: whether to create the key if there is none.
    @param name: the name of the file.
    @return: the key, as text: C{peer.key} may have several, one a line.
    @raise TokenKeyUnusable: there is no key, it is no key that was created here, or
        other users may read its file.
    """
    path = data_dir / name
    try:
        if make and not path.exists():
            _make(path)
        return _read(path)
    except OSError as e:
        raise TokenKeyUnusable(f"{path}: {e.strerror or e}") from None


def local_key_bytes(data_dir: Path) -> bytes:
    """
    Return the same as bytes; the key is made if it is missing.

    @raise TokenKeyUnusable: as L{local_key}.
    """
    return local_key(data_dir).encode("ascii")


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
    # O_NONBLOCK: a pipe would block until somebody writes into it.
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(opened, encoding="utf-8", errors="replace") as file:
        found = os.fstat(opened).st_mode
        if not stat.S_ISREG(found):
            raise TokenKeyUnusable(f"{path}: is not a regular file; {_REMOVE}")
        mode = stat.S_IMODE(found)
        if mode & 0o077:
            raise TokenKeyUnusable(
                f"{path}: other users may read it (mode {mode:o}); if none has, "
                f"chmod 600 {path}, else {_REMOVE}"
            )
        key = file.read().strip()
    if len(key) < _LEAST:
        raise TokenKeyUnusable(
            f"{path}: has {counted(len(key), 'character')}, a key has at least "
            f"{_LEAST}; {_REMOVE}"
        )
    if not key.isascii():
        raise TokenKeyUnusable(f"{path}: has characters beyond ASCII; {_REMOVE}")
    return key
