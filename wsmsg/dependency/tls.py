"""
Trust in the certificate authorities of a PEM file.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.ssl import Certificate, trustRootFromCertificates

_END = "-----END CERTIFICATE-----"


def trust_root(path: str) -> Any:
    """
    Read a bundle of certificates; Twisted's own reader takes only the first.

    @param path: the PEM file; empty: the platform's authorities are trusted.
    @return: an C{IOpenSSLTrustRoot}; L{None} for the platform's.
    @raise OSError: the file cannot be read.
    """
    if not path:
        return None
    with open(path) as f:
        bundle = f.read()
    parts = (part + _END for part in bundle.split(_END)[:-1])
    return trustRootFromCertificates(
        [Certificate.loadPEM(part.encode()) for part in parts]
    )
