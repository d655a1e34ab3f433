"""
Tables of the live settings that both daemons have: log, retry and tokens.
"""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.logger import LogLevel

from tests.daemon.live_settings import LiveKey, Place, used
from wsmsg.dependency.retry import RetryPolicy
from wsmsg.monitoring.logs import as_json
from wsmsg.peers.parts import PeerParts


def public_key() -> str:
    """
    A public key for ES256.
    """
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem: bytes = key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem.decode()


def delay(policy: RetryPolicy, failures: int) -> float:
    """
    A delay, 0 after the last attempt.
    """
    return policy(failures) or 0.0


def allowed(origins: Any) -> list[str]:
    """
    Return the new origin of a reload, if pages from it are accepted.
    """
    return [o for o in ["https://new.example"] if origins.allow(o)]


def retry_keys(*policies: Any) -> dict[str, LiveKey]:
    """
    The section C{retry}, observed by its delays.

    @param policies: return the retry policies of a tree.
    """

    def places(observe: Any) -> list[Place]:
        return [
            lambda t, p=p: observe(p(t))  # type: ignore[misc]
            for p in policies
        ]

    def attempts(policy: RetryPolicy) -> int:
        return next((n for n in range(1, 20) if policy(n) is None), 0)

    return {
        "retry.first_s": used(0.25, *places(lambda p: delay(p, 1))),
        "retry.factor": used(3.0, *places(lambda p: delay(p, 2) / delay(p, 1))),
        "retry.cap_s": used(1.5, *places(lambda p: delay(p, 6))),
        "retry.jitter": used(0.0, *places(lambda p: delay(p, 5) - delay(p, 5))),
        "retry.attempts": used(7, *places(attempts)),
    }


def log_keys() -> dict[str, LiveKey]:
    """
    The section C{log}.
    """

    def level(tree: Any) -> str:
        levels = list(LogLevel.iterconstants())
        return str(levels[tree.root._observer._minimum].name)

    def style(tree: Any) -> str:
        return "json" if tree.root._observer._format is as_json else "text"

    return {"log.level": used("error", level), "log.format": used("json", style)}


def token_keys(section: str, rules: Place) -> dict[str, LiveKey]:
    """
    A section with settings of tokens.

    @param rules: returns the rules of an L{wsmsg.auth.jwt.Authenticator}.
    """

    def rule(name: str) -> Place:
        return lambda tree: getattr(rules(tree), name)

    def secret(tree: Any) -> object:
        return rule("keys")(tree).get("HS256", b"").decode()  # type: ignore[attr-defined]

    def pem(tree: Any) -> object:
        key = rule("keys")(tree).get("ES256")  # type: ignore[attr-defined]
        return (
            key
            and key.public_bytes(
                serialization.Encoding.PEM,
                serialization.PublicFormat.SubjectPublicKeyInfo,
            ).decode()
        )

    def algorithms(tree: Any) -> object:
        return list(rule("keys")(tree))  # type: ignore[call-overload]

    def debug_token(tree: Any) -> object:
        return rule("debug_token")(tree).decode()  # type: ignore[attr-defined]

    keys = {
        "secret": used("s" * 32, secret),
        "public_key": used(public_key(), pem),
        "algorithms": used(["ES256", "HS256"], algorithms),
        "audience": used("an audience", rule("audience")),
        "issuer": used("an issuer", rule("issuer")),
        "leeway_s": used(3.0, rule("leeway_s")),
        "max_lifetime_s": used(99.0, rule("max_lifetime_s")),
        "debug_token": used("d" * 32, debug_token),
    }
    return {f"{section}.{name}": key for name, key in keys.items()}


def proof(peers: PeerParts) -> str:
    """
    Return whether a daemon proves itself: C{secret} or C{none}.
    """
    return "secret" if peers._identity.required else "none"


def secrets(peers: PeerParts) -> list[str]:
    """
    Return the secrets of a daemon.
    """
    known = peers._identity.secrets()
    found = (known.get(key) for key in known.ids)
    return [secret.value.decode() for secret in found if secret is not None]


def trusted(proxies: Any) -> list[str]:
    """
    Return the one network that proxies may be in, if it is trusted.
    """
    return ["10.0.0.0/8"] if proxies.trust("10.1.1.1") else []
