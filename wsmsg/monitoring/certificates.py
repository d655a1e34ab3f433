"""
A watch on the certificates that a daemon shows, so that none expires unnoticed.

The watch knows the certificates that are in use: those that the daemon read when it
started, or at the last reload.  A renewed file alone changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from wsmsg.auth.reread import FileRead
from wsmsg.dependency.alarms import Alarms
from wsmsg.monitoring.metrics import Metrics
from wsmsg.settings.listeners import ListenersTls
from wsmsg.settings.upstream import PeerSettings

#: The names of the alarms: before a certificate expires, and after it has expired.
SOON, EXPIRED = "certificate_expires", "certificate_expired"
#: The first alarm comes so long before a certificate expires, or when a quarter of its
#: lifetime is left, whichever is later.
EARLY_S = 14 * 86400.0
#: Seconds between two looks at the clock.
LOOK_S = 5.0


def certificate_files(tls: ListenersTls, peer: PeerSettings) -> dict[str, str]:
    """
    Return the files with certificates that a daemon shows, by their settings.
    """
    files = {
        f"tls.{name}.cert": str(getattr(tls, name).cert)
        for name in ListenersTls.model_fields
    }
    files["peer.cert"] = peer.cert
    return {key: path for key, path in files.items() if path}


def authority_files(tls: ListenersTls, peer: PeerSettings) -> dict[str, str]:
    """
    Return the files with the certificates that a daemon trusts, by their settings.
    """
    files = {
        f"tls.{name}.client_ca": str(getattr(tls, name).client_ca)
        for name in ListenersTls.model_fields
    }
    files["peer.ca"] = peer.ca
    return {key: path for key, path in files.items() if path}


class CertificateWatch:
    """
    Raises an alarm for certificates that expire soon, or have expired.

    @param files: as L{certificate_files} returns.
    @param authorities: as L{authority_files} returns; they raise no alarm.
    @param unix_s: returns the unix time.
    @ivar ends_s: by setting, the unix time at which its certificate expires; of a
        chain, that of the first one to expire.
    """

    def __init__(
        self,
        files: Mapping[str, str],
        clock: IReactorTime,
        alarms: Alarms,
        unix_s: Callable[[], float] = time.time,
        *,
        authorities: Mapping[str, str] | None = None,
    ) -> None:
        self._authorities = authorities or {}
        self._contents: dict[str, Sequence[Any]] = {}
        self.ends_s: dict[str, float] = {}
        self._files = files
        self._alarms = alarms
        self._unix_s = unix_s
        self._warn_s: dict[str, float] = {}
        self._looking = LoopingCall(self._look)
        self._looking.clock = clock

    def start(self) -> None:
        """
        Read the certificates, and look at the clock from now on.
        """
        self.read()
        self._looking.start(LOOK_S, now=False)

    def stop(self) -> None:
        """
        Look no more.
        """
        if self._looking.running:
            self._looking.stop()

    def read(self) -> Sequence[FileRead]:
        """
        Read the certificates again: the daemon has taken them into use.
        """
        # Imported where there are certificates: cryptography is slow to load.
        from wsmsg.settings.public_key import certificates_in

        read = []
        for key, path in {**self._files, **self._authorities}.items():
            found = certificates_in(path)
            if key in self._files:
                self.ends_s[key], self._warn_s[key] = _times(found)
            changed = self._contents.get(key) != found
            self._contents[key] = found
            read.append(FileRead(f"{key} ({_described(found)})", changed))
        self._look()
        return read

    def register_metrics(self, metrics: Metrics) -> None:
        """
        Have the ends read by each scrape.
        """
        metrics.gauges(
            "wsmsg_certificate_expiry_timestamp_seconds",
            "Unix time at which a certificate in use expires",
            lambda: self.ends_s,
            label="setting",
        )

    def _look(self) -> None:
        now_s, soon, expired = self._unix_s(), [], []
        for key, end_s in self.ends_s.items():
            if end_s <= now_s:
                expired.append(f"{key} expired at {_shown(end_s)}")
            elif self._warn_s[key] <= now_s:
                soon.append(f"{key} expires at {_shown(end_s)}")
        remedy = "; renew the file, and send SIGHUP"
        for name, found in ((SOON, soon), (EXPIRED, expired)):
            self._alarms.set(name, ", ".join(found) + remedy if found else "")


def _times(chain: Sequence[Any]) -> tuple[float, float]:
    """
    Return when the first certificate of a chain expires, and when to warn of it.
    """
    ends = []
    for each in chain:
        end_s = each.not_valid_after_utc.timestamp()
        lifetime_s = end_s - each.not_valid_before_utc.timestamp()
        ends.append((end_s, end_s - min(EARLY_S, lifetime_s / 4)))
    return min(ends)


def _described(chain: Sequence[Any]) -> str:
    """
    Return the subject of the first certificate, and when it expires.
    """
    first, *_ = chain
    subject = first.subject.rfc4514_string() or "no subject"
    expires = _shown(first.not_valid_after_utc.timestamp())
    more = f", and {len(chain) - 1} more" if len(chain) > 1 else ""
    return f"{subject}, expires {expires}{more}"


def _shown(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
