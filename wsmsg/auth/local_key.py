"""
The key that tokens are signed with where the settings name none: made once, kept
in the data folder, read by Connect and by C{wsmsg token}.
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
    There is no key, and none could be made; says which file and why.
    """


def local_key(data_dir: Path, *, make: bool = True) -> str:
    """
    The HS256 key of this data folder.

    Of several processes that find none, one makes it and all return that one.

    @param make: whether to make one where there is none.
    @return: the key, as text.
    @raise TokenKeyUnusable: where that cannot be, or others could have read it.
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
    # mkstemp makes files that nobody else may read.
    number, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(number, "w", encoding="ascii") as out:
            out.write(secrets.token_urlsafe(_BYTES) + "\n")
            out.flush()
            os.fsync(out.fileno())
        # A link, unlike a rename, fails where another was quicker; and whoever sees
        # the name sees the whole key.
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
                f"{path}: others may read it (mode {mode:o}); if none did, "
                f"chmod 600 {path}, else remove it: a new one is made"
            )
        key = file.read().strip()
    if len(key) < _LEAST:
        raise TokenKeyUnusable(
            f"{path}: has {len(key)} characters, and a key at least {_LEAST}; remove "
            "it: a new one is made"
        )
    return key
