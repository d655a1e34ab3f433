"""
A gRPC channel to a peer, which has proven itself before anything is said to it.

::

    open --Prove--> the listener's proof is good --> calls, each with this end's proof
             |`---- it is not: NotProven, and nothing was said
             `----- it knows none of our secrets: NotProven

A channel may connect again by itself, to whoever listens then.  So the begin of each
stream and each answer are checked too: what has no proof is not believed.
"""

from __future__ import annotations

import hmac
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import attrs
import grpc
import grpc.aio

from wsmsg.peers.identity import PeerIdentity
from wsmsg.peers.secrets import PROOF, PeerSecret, PeerSecrets, Token, new_nonce
from wsmsg.peers.tls import channel_credentials
from wsmsg.rpc import peer_pb2, peer_pb2_grpc
from wsmsg.settings.upstream import PeerSettings

Metadata = Sequence[tuple[str, Any]]
Options = Sequence[tuple[str, int]]


class NotProven(Exception):
    """
    The peer did not prove itself, or refuses our proof; the text is for an operator.

    @ivar is_unknown: the peer does not know what a proof is: it may be a legacy one.
    """

    is_unknown = False


@attrs.frozen
class PeerChannel:
    """
    A channel to a peer.

    @ivar raw: the channel itself.
    @ivar metadata: this end's proof; empty: none is wanted.
    """

    raw: grpc.aio.Channel
    metadata: tuple[tuple[str, Any], ...] = ()
    _answer: bytes = attrs.field(default=b"", repr=False)

    def stream(
        self,
        method: str,
        *,
        request: Callable[[Any], bytes] | None = None,
        response: Callable[[bytes], Any] | None = None,
        metadata: Metadata = (),
    ) -> Any:
        """
        Begin a stream; L{begun} says when something may be written.

        @param request: serializes what is written; L{None}: it is bytes.
        """
        call = self.raw.stream_stream(
            method, request_serializer=request, response_deserializer=response
        )
        return call(metadata=(*self.metadata, *metadata))

    async def begun(self, call: Any) -> None:
        """
        Wait until the peer has proven itself on a stream.

        @raise NotProven: it has not.
        @raise grpc.aio.AioRpcError: it refused the stream.
        """
        if not self._answer:
            return
        if self._is_proven(await call.initial_metadata()):
            return
        if call.done() and await call.code() is not grpc.StatusCode.OK:
            raise grpc.aio.AioRpcError(
                await call.code(),
                await call.initial_metadata(),
                await call.trailing_metadata(),
                details=await call.details(),
            )
        raise NotProven("the peer began the stream without a proof")

    async def ask(
        self,
        method: str,
        request: bytes,
        response: Callable[[bytes], Any],
        timeout_s: float,
    ) -> Any:
        """
        Make a unary call.

        @raise NotProven: the answer is not the peer's.
        @raise grpc.aio.AioRpcError: the call failed.
        """
        call: Any = self.raw.unary_unary(method, response_deserializer=response)
        asked = call(request, timeout=timeout_s, metadata=self.metadata)
        answer = await asked
        if self._answer and not self._is_proven(await asked.trailing_metadata()):
            raise NotProven("the peer answered without a proof")
        return answer

    async def close(self) -> None:
        await self.raw.close()

    def _is_proven(self, metadata: Any) -> bool:
        return any(
            key == PROOF and hmac.compare_digest(bytes(value), self._answer)
            for key, value in metadata or ()
        )


# Parts of gRPC's messages about handshakes of TLS that failed at this end.
_TLS = re.compile(
    "ssl handshake failed|certificate_verify_failed|hostname verification"
    "|wrong_version_number",
    re.IGNORECASE,
)

# gRPC's message about a peer that closed the connection after the handshake of TLS, and
# before the settings of HTTP/2 arrived.  In TLS 1.3 this end has finished by then, and
# the listener judges its certificate afterwards.  If a peer closes within that
# handshake, the reason is in parentheses; if it closes later, nothing failed "to
# connect".
_CLOSED_AT_ONCE = re.compile("failed to connect.*: Socket closed$", re.DOTALL)

HEALTH = "/grpc.health.v1.Health/Check"

_REFUSES = (
    "the peer closes the connection after the TLS handshake: it probably refuses our "
    "certificate (peer.cert), which is not of an authority in its "
    "tls.rpc_listen.client_ca or has expired; or it is no daemon of this system"
)
_WANTS_CERTIFICATE = (
    "the peer closes the connection after the TLS handshake: it probably wants a "
    "certificate (its tls.rpc_listen.client_ca), and we have none: set peer.cert and "
    "peer.key; or it is no daemon of this system"
)

#: (address, options of the channel, time limit).
OpenChannel = Callable[[str, Options, float], Awaitable[PeerChannel]]


async def open_unproven(target: str, options: Options, _: float = 0.0) -> PeerChannel:
    """
    Open a channel to a peer that proves nothing, such as a legacy one
    (L{OpenChannel}).
    """
    return PeerChannel(grpc.aio.insecure_channel(target, options=options))


class ProvenDialling:
    """
    Opens channels to peers that prove themselves.

    @ivar failures: the number of peers that did not, by reason: C{unproven}: the peer
        offers no proof; C{secret}: it knows none of our secrets; C{proof}: its proof is
        wrong; C{certificate}: TLS failed, for its certificate or for ours.
    """

    def __init__(
        self, identity: PeerIdentity, settings: PeerSettings | None = None
    ) -> None:
        self._identity = identity
        self.failures: Counter[str] = Counter()
        self.apply_settings(settings or PeerSettings())

    def apply_settings(self, settings: PeerSettings) -> None:
        """
        Read the files of TLS again, for channels that are opened from now on.

        @raise OSError: a file cannot be read.
        """
        self._credentials = channel_credentials(settings)
        self._has_certificate = bool(settings.cert)
        self._name = settings.name

    def _channel(self, target: str, options: Options) -> grpc.aio.Channel:
        if self._credentials is None:
            return grpc.aio.insecure_channel(target, options=options)
        named: list[tuple[str, Any]] = list(options)
        if self._name:
            named.append(("grpc.ssl_target_name_override", self._name))
        return grpc.aio.secure_channel(target, self._credentials, options=named)

    async def open(
        self, target: str, options: Options, timeout_s: float
    ) -> PeerChannel:
        """
        Open a channel (L{OpenChannel}).

        @raise NotProven: the peer has not proven itself.
        @raise grpc.aio.AioRpcError: it cannot be reached.
        """
        channel = self._channel(target, options)
        if not self._identity.required:
            return PeerChannel(channel)
        try:
            if self._identity.by_certificate:
                await self._certified(channel, timeout_s)
                return PeerChannel(channel)
            return await self._proven(channel, timeout_s)
        except BaseException as e:
            await channel.close()
            if isinstance(e, grpc.aio.AioRpcError) and _TLS.search(e.details() or ""):
                self.failures["certificate"] += 1
            raise

    async def _proven(self, channel: grpc.aio.Channel, timeout_s: float) -> PeerChannel:
        secrets, nonce = self._identity.secrets(), new_nonce()
        request = peer_pb2.ProveRequest(nonce=nonce, keys=secrets.ids)
        try:
            stub = peer_pb2_grpc.PeerServiceStub(channel)
            answer = await stub.Prove(request, timeout=timeout_s)
        except grpc.aio.AioRpcError as e:
            raise self._refused(e) from None
        secret = _secret_of(secrets, nonce, answer)
        if secret is None:
            self.failures["proof"] += 1
            raise NotProven(
                "the peer cannot prove that it knows our secret: something else "
                "listens at its address"
            )
        token = Token(secret.id, nonce, secret.dialler_proof(nonce, answer.nonce))
        return PeerChannel(
            channel,
            ((PROOF, token.encode()),),
            secret.answer_proof(nonce, answer.nonce),
        )

    async def _certified(self, channel: grpc.aio.Channel, timeout_s: float) -> None:
        """
        Wait until the listener has accepted our certificate.
        """
        try:
            await channel.unary_unary(HEALTH)(b"", timeout=timeout_s)
        except grpc.aio.AioRpcError as e:
            raise self._refused(e) from None

    def _refused(self, error: grpc.aio.AioRpcError) -> Exception:
        details = error.details() or ""
        if self._credentials is not None and _CLOSED_AT_ONCE.search(details):
            self.failures["certificate"] += 1
            return NotProven(_REFUSES if self._has_certificate else _WANTS_CERTIFICATE)
        match error.code():
            case grpc.StatusCode.UNAUTHENTICATED:
                self.failures["secret"] += 1
                return NotProven(
                    "the peer knows none of our secrets: give both daemons the same "
                    "(peer.secrets, or peer.key in the data directory)"
                )
            case grpc.StatusCode.UNIMPLEMENTED:
                self.failures["unproven"] += 1
                refused = NotProven(
                    "the peer offers no proof that it is a daemon of this system"
                )
                refused.is_unknown = True
                return refused
        failed: Exception = error
        return failed


def _secret_of(
    secrets: PeerSecrets, nonce: bytes, answer: peer_pb2.ProveResponse
) -> PeerSecret | None:
    secret = secrets.get(answer.key)
    if secret is None:
        return None
    wanted = secret.listener_proof(nonce, answer.nonce)
    return secret if hmac.compare_digest(wanted, answer.proof) else None
