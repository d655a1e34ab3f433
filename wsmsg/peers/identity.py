"""
The secrets of this daemon: from the settings, or those in the file C{peer.key} of the
data directory.

A daemon creates the file if it is missing; on one machine all daemons have it in
common.  Each line is a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from twisted.logger import Logger

from wsmsg.auth.local_key import TokenKeyUnusable, local_key
from wsmsg.auth.reread import NOTHING_READ, FileRead
from wsmsg.dependency.alarms import Alarms
from wsmsg.peers.secrets import PeerSecrets
from wsmsg.settings.upstream import LEAST_CHARACTERS, PeerSettings
from wsmsg.settings.values import Common

FILE_NAME = "peer.key"


def peer_probe(settings: Common, data_dir: Path) -> tuple[str, Callable[[], object]]:
    """
    Return a check, before the daemon starts, that it has a secret.
    """
    attempt = partial(PeerIdentity, settings.peer, data_dir)
    return "cannot prove itself to its peers", attempt


class PeerIdentity:
    """
    The secrets with which this daemon proves itself, and which it accepts.

    @ivar required: whether the daemons prove themselves at all.
    @ivar by_certificate: whether they do so by certificates alone.
    @raise TokenKeyUnusable: the file cannot be read or created.
    """

    _log = Logger()

    def __init__(self, settings: PeerSettings, data_dir: Path) -> None:
        self._data_dir = data_dir
        self.required = settings.proof != "none"
        self.by_certificate = settings.proof == "certificate"
        self._secrets = self._read(settings)

    def secrets(self) -> PeerSecrets:
        """
        Return the secrets that are in use now.
        """
        return self._secrets

    def reload(self, settings: PeerSettings, alarms: Alarms) -> Sequence[FileRead]:
        """
        Read the secrets again.  Open connections stay; new ones need the new secrets.

        @param alarms: where an alarm is raised if the file cannot be read.  The secrets
            then stay as they are.
        """
        try:
            found = self._read(settings)
        except TokenKeyUnusable as e:
            reason = f"the secrets of peers stay as they were: {e}"
            alarms.set("peer_secret", reason)
            return NOTHING_READ
        alarms.clear("peer_secret")
        self.required = settings.proof != "none"
        self.by_certificate = settings.proof == "certificate"
        changed = found.ids != self._secrets.ids
        if changed:
            self._log.info("peers prove themselves with other secrets from now on")
        self._secrets = found
        return [FileRead(FILE_NAME, changed)] if _in_file(settings) else NOTHING_READ

    def _read(self, settings: PeerSettings) -> PeerSecrets:
        given = tuple(s.get_secret_value() for s in settings.secrets)
        if not _in_file(settings):
            return PeerSecrets(given)
        lines = local_key(self._data_dir, name=FILE_NAME).split()
        if any(len(line) < LEAST_CHARACTERS for line in lines):
            raise TokenKeyUnusable(
                f"{self._data_dir / FILE_NAME}: has a line that is no secret: each has "
                f"at least {LEAST_CHARACTERS} characters"
            )
        return PeerSecrets(tuple(lines))


def _in_file(settings: PeerSettings) -> bool:
    """
    Return whether the secrets are those of the data directory.
    """
    return settings.proof == "secret" and not settings.secrets
