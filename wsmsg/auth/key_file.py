"""
The file with the API keys.

A daemon reads it when it starts and at each reload; C{wsmsg key} writes it.
"""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from twisted.logger import Logger

from wsmsg.auth.api_keys import NO_KEYS, ApiKey, Keyring, parse_keys
from wsmsg.auth.reread import NOTHING_READ, FileRead
from wsmsg.dependency.alarms import Alarms
from wsmsg.text.counted import counted

FILE_NAME = "api.keys"

_ALARM = "api_keys"
_MOST_BYTES = 2**20


def keys_path(setting: str, data_dir: Path) -> Path:
    """
    Return the path of the keys.

    @param setting: C{api_keys}.
    """
    return Path(setting) if setting else data_dir / FILE_NAME


def read_keys(setting: str, data_dir: Path) -> Keyring:
    """
    Read the keys.

    @return: L{NO_KEYS}, if no file is set and the data directory has none.
    @raise ValueError: the file cannot be used; the text names it and the reason.
    """
    path = keys_path(setting, data_dir)
    try:
        # O_NONBLOCK: a pipe would block until somebody writes into it.
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(opened, "rb") as file:
            found = os.fstat(opened).st_mode
            if not stat.S_ISREG(found):
                raise ValueError(f"{path}: is not a regular file")
            if found & 0o022:
                raise ValueError(
                    f"{path}: others may write to it (mode {found & 0o777:o}), and "
                    f"make keys of their own; chmod go-w {path}"
                )
            data = file.read(_MOST_BYTES + 1)
    except FileNotFoundError as e:
        if not setting:
            return NO_KEYS
        raise ValueError(f"{path}: {e.strerror}; make it: wsmsg key new") from None
    except OSError as e:
        raise ValueError(f"{path}: {e.strerror or e}") from None
    if len(data) > _MOST_BYTES:
        raise ValueError(f"{path}: is longer than {_MOST_BYTES} bytes")
    try:
        return parse_keys(data.decode())
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is not UTF-8 text") from None
    except ValueError as e:
        raise ValueError(f"{path}: {e}") from None


class ApiKeys:
    """
    The keys of a running daemon.

    @ivar keyring: the keys now.
    @raise ValueError: as L{read_keys}.
    """

    _log = Logger()

    def __init__(self, setting: str, data_dir: Path) -> None:
        self._data_dir = data_dir
        self.keyring = read_keys(setting, data_dir)

    def current(self) -> Keyring:
        """
        Return the keys now.
        """
        return self.keyring

    def reload(self, setting: str, alarms: Alarms) -> Sequence[FileRead]:
        """
        Read the file again.  If that fails, or if the file is gone, the keys stay as
        they are, as nobody may get in by a mistake.

        @param alarms: where an alarm is raised then.
        """
        try:
            found = read_keys(setting, self._data_dir)
            if self.keyring.asks and not found.asks:
                path = keys_path(setting, self._data_dir)
                raise ValueError(f"{path}: is gone; restart to do without keys")
        except ValueError as e:
            alarms.set(_ALARM, f"the API keys stay as they were: {e}")
            return NOTHING_READ
        alarms.clear(_ALARM)
        before, self.keyring = self.keyring, found
        if found.keys is None:
            return NOTHING_READ
        count = counted(len(found.keys), "API key")
        return [FileRead(f"{FILE_NAME} ({count})", found != before)]


def keys_probe(setting: str, data_dir: Path) -> tuple[str, Callable[[], object]]:
    """
    Return a check, before the daemon starts, that the keys can be used.
    """
    return "cannot use the API keys", lambda: read_keys(setting, data_dir)


def add_key(path: Path, key: ApiKey) -> None:
    """
    Add a key to a file, which is made if it is missing.

    @raise ValueError: the file cannot be used, or has a key with this name or secret.
    @raise OSError: the file cannot be written.
    """
    with _changing(path) as lines:
        lines.append(key.line)


def remove_key(path: Path, name: str) -> bool:
    """
    Remove a key from a file.

    @return: whether the file had it.
    @raise ValueError: the file cannot be used.
    @raise OSError: the file cannot be written.
    """
    if not path.exists():
        return False
    with _changing(path) as lines:
        kept = [line for line in lines if line.split()[:1] != [name]]
        is_there = len(kept) < len(lines)
        lines[:] = kept
    return is_there


@contextmanager
def _changing(path: Path) -> Iterator[list[str]]:
    """
    Let the lines of a file be changed, by one process at a time.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        lines = []
        if path.exists():
            read_keys(str(path), path.parent)
            lines = path.read_text("utf-8").splitlines()
        yield lines
        text = "".join(f"{line}\n" for line in lines)
        try:
            parse_keys(text)
        except ValueError as e:
            raise ValueError(f"{path}: {e}") from None
        _replace(path, text)
        os.fsync(folder)
    finally:
        os.close(folder)


def _replace(path: Path, text: str) -> None:
    # Root writes files that the daemon, which has the directory, must be able to read.
    owner = path.stat() if path.exists() else path.parent.stat()
    mode = stat.S_IMODE(owner.st_mode) if path.exists() else 0o600
    number, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(number, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fchmod(number, mode)
            if os.geteuid() == 0:
                os.fchown(number, owner.st_uid, owner.st_gid)
            os.fsync(number)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
