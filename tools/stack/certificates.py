"""
A self-signed certificate for loopback, for tests of TLS.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tools.stack.packages import run


class Certificate(NamedTuple):
    """
    The files of a certificate.

    @ivar certificate: PEM; self-signed, so clients use it as C{cafile}.
    @ivar both: the key and the certificate in one file, as Kafka needs them.
    """

    certificate: Path
    key: Path
    both: Path


def certificate_in(folder: Path) -> Certificate:
    """
    Return the certificate in a directory; create it if it is missing.
    """
    made = Certificate(*(folder / name for name in ("cert.pem", "key.pem", "both.pem")))
    if not made.both.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
        command += " -days 3650 -subj /CN=localhost -addext"
        run(
            [
                *command.split(),
                "subjectAltName=DNS:localhost,IP:127.0.0.1",
                *("-keyout", str(made.key), "-out", str(made.certificate)),
            ]
        )
        made.key.chmod(0o600)
        made.both.touch(0o600)
        made.both.write_text(made.key.read_text() + made.certificate.read_text())
    return made
