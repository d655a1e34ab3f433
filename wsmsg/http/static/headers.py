"""
Headers of static pages.

The policy allows a page nothing that it does not ship: no script, style, image or
connection from elsewhere, no inline script or style, no form, no frame around it, and
no HTML made from text (Trusted Types).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_SELF = ("script-src", "style-src", "img-src", "font-src", "manifest-src")


def policy(connect: Sequence[str] = ("'self'",)) -> str:
    """
    Return the C{Content-Security-Policy} of a page.

    @param connect: the sources that its scripts may connect to.
    """
    return "; ".join(
        (
            "default-src 'none'",
            *(f"{name} 'self'" for name in _SELF),
            f"connect-src {' '.join(connect)}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def static_headers(etag: str, policy: str) -> Mapping[str, str]:
    """
    Return the headers of a file of a page, whether it is sent or known already.
    """
    return {
        "cache-control": "no-cache",  # kept, and asked for again with its tag
        "content-security-policy": policy,
        "cross-origin-resource-policy": "same-origin",
        "etag": etag,
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
