"""
An admin listener, as the commands of operators ask it.

The key is the content of C{admin.key} in the data directory of the daemon.  A command
finds it there, if its account may read it, and then sends it only to a process of the
account that the file belongs to: somebody else may listen while the daemon does not.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
import click

from wsmsg.auth.local_key import ADMIN_KEY
from wsmsg.cli.operator.accounts import listening
from wsmsg.cli.operator.ask import NoAnswer, ask
from wsmsg.settings.sources import resolve_data_dir, table_of
from wsmsg.settings.urls.address import parse_address
from wsmsg.settings.values import ConnectSettings, MessageSettings

#: The settings that say where an admin listener is.
ADMIN = ("admin_listen", "data_dir")

#: The data directories of the units in C{deploy/systemd}.
_STATES = (Path("/var/lib/wsmsg"), Path("/var/lib/wsmsg-connect"))
#: The accounts that systemd makes for units with C{DynamicUser}; a file of theirs may
#: seem to belong to another one.
_DYNAMIC = range(61184, 65520)

_REMEDY = (
    "run this as the account of the daemon or as root, or name a copy of the file "
    f"{ADMIN_KEY} in its data directory: --key-file"
)


def key_file_option(command: Any) -> Any:
    """
    The option C{--key-file}.
    """
    return click.option(
        "--key-file",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar="WSMSG_ADMIN_KEY_FILE",
        help="File with the key of operators.  [default: admin.key of the daemons]",
    )(command)


def ca_option(command: Any) -> Any:
    """
    The option C{--ca}.
    """
    return click.option(
        "--ca",
        type=click.Path(exists=True, path_type=Path, dir_okay=False),
        help="A PEM file with the authorities of a https: URL.",
    )(command)


@attrs.frozen
class AdminListener:
    """
    The admin listener of a daemon.

    @ivar certificate: as for L{ask}.
    @ivar key_file: the file with the key; L{None}: one of C{places}.
    @ivar places: data directories that may have the key.
    @ivar net: as for L{listening}.
    @ivar ca: as for L{ask}.
    """

    url: str
    certificate: str = ""
    key_file: Path | None = None
    places: tuple[Path, ...] = ()
    net: Path = Path("/proc/net")
    ca: str = ""

    def ask(
        self, path: str, body: object | None = None, *, method: str | None = None
    ) -> dict[str, Any]:
        """
        Ask for a path; see L{ask}.

        @raise NoAnswer: there is no valid answer; the text says what to do.
        """
        key, found = self._key()
        trust = {"certificate": self.certificate, "ca": self.ca}
        try:
            return ask(self.url + path, body, key=key, method=method, **trust)
        except NoAnswer as e:
            if e.status != 401:
                raise
            tried = f" ({found})" if found else ""
            raise NoAnswer(f"{e}{tried}; {_REMEDY}", e.status) from None

    def _key(self) -> tuple[str, str]:
        """
        Return the key to send, or none; and what was found instead of it.
        """
        if self.key_file is not None:
            return _content(self.key_file), f"it does not accept {self.key_file}"
        asked = urlsplit(self.url)
        accounts = listening(asked.hostname or "", asked.port or 0, self.net)
        seen = []
        for folder in self.places:
            path = folder / ADMIN_KEY
            try:
                owner = path.stat().st_uid
                if not os.access(path, os.R_OK):
                    seen.append(f"this account may not read {path}")
                elif accounts and all(_is_trusted(a, owner, folder) for a in accounts):
                    return _content(path), f"it does not accept {path}"
                elif accounts:
                    uids = ", ".join(map(str, sorted(accounts)))
                    seen.append(
                        f"{path} was not sent, as it is of uid {owner} and a process "
                        f"of uid {uids} listens there"
                    )
            except OSError:
                continue
        return "", "; ".join(seen)


def _is_trusted(account: int, owner: int, folder: Path) -> bool:
    return account in (0, owner) or (folder in _STATES and account in _DYNAMIC)


def _content(path: Path) -> str:
    try:
        key = path.read_text("ascii").strip()
    except OSError as e:
        raise NoAnswer(f"{path}: {e.strerror or e}") from None
    except ValueError:
        key = ""
    if not key or not key.isprintable() or " " in key:
        raise NoAnswer(f"{path}: has no key of operators")
    return key


def admin_listener(
    settings: ConnectSettings | MessageSettings,
    admin: str | None = None,
    key_file: Path | None = None,
    ca: Path | None = None,
) -> AdminListener:
    """
    Return the admin listener of a daemon.

    @param admin: its URL; L{None}: as the settings say.
    @param ca: the authorities of its certificate; L{None}: the certificate is the one
        in the settings, or of an authority of this machine.
    @raise NoAnswer: it has none.
    """
    certificate = "" if admin or ca else settings.tls.admin_listen.cert
    url = (admin or admin_url(settings)).rstrip("/")
    places = dict.fromkeys((resolve_data_dir(settings), *_STATES))
    return AdminListener(
        url, certificate, key_file, tuple(places), ca="" if ca is None else str(ca)
    )


def admin_url(settings: ConnectSettings | MessageSettings) -> str:
    """
    Return the URL of a daemon's admin listener.

    @raise NoAnswer: it has none.
    """
    if not settings.admin_listen:
        name = table_of(type(settings))
        raise NoAnswer(f"nobody to ask, as {name}.admin_listen is empty")
    is_tls = bool(settings.tls.admin_listen.cert)
    return _url(settings.admin_listen, is_tls=is_tls)


def http_url(settings: MessageSettings) -> str:
    """
    Return the URL of Message's HTTP API.

    @raise NoAnswer: it has none.
    """
    if not settings.listen:
        raise NoAnswer("nobody to ask, as message.listen is empty")
    return _url(settings.listen, is_tls=bool(settings.tls.listen.cert))


def _url(listen: str, *, is_tls: bool) -> str:
    address = parse_address(listen)
    # A listener on all addresses is asked on this machine.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host)
    return f"{'https' if is_tls else 'http'}://{address._replace(host=host)}"
