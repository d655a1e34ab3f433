"""
Certificates for tests, made as an operator makes them.
"""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_DAY = datetime.timedelta(days=1)


@attrs.define
class Authority:
    """
    A certificate authority, in a folder.
    """

    folder: Path
    name: str = "authority"
    _key: ec.EllipticCurvePrivateKey = attrs.field(init=False)

    @_key.default
    def _new_key(self) -> ec.EllipticCurvePrivateKey:
        return ec.generate_private_key(ec.SECP256R1())

    def __attrs_post_init__(self) -> None:
        own = self._builder(self.name, self._key, 30).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self._write(self.path, own)

    @property
    def path(self) -> str:
        return str(self.folder / f"{self.name}.pem")

    def issue(
        self,
        name: str,
        host: str = "127.0.0.1",
        days: float = 30,
        *,
        since_days: float = 90,
    ) -> tuple[str, str]:
        """
        Write a certificate for a host.

        @param days: until it expires; negative: it has expired.
        @param since_days: for how long it has been valid.
        @return: the paths of the certificate and of its key.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        try:
            names: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            names = x509.DNSName(host)
        built = self._builder(name, key, days, since_days).add_extension(
            x509.SubjectAlternativeName([names]), critical=False
        )
        cert, private = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        self._write(str(cert), built)
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return str(cert), str(private)

    def _builder(
        self,
        name: str,
        key: ec.EllipticCurvePrivateKey,
        days: float,
        since_days: float = 90,
    ) -> x509.CertificateBuilder:
        def named(text: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named(self.name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - since_days * _DAY)
            .not_valid_after(now + days * _DAY)
        )

    def _write(self, path: str, built: x509.CertificateBuilder) -> None:
        signed = built.sign(self._key, hashes.SHA256())
        Path(path).write_bytes(signed.public_bytes(serialization.Encoding.PEM))
