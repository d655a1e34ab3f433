"""
The check of every call to a gRPC listener.

::

    a call --health check, Prove----------------------------> served
           --with a proof that is good on this connection---> served, answer proven
           --a call of the legacy contract, from a listed address--> served
           --anything else----------------------------------> UNAUTHENTICATED
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import unquote

import attrs
import grpc
import grpc.aio

from wsmsg.peers.callers import ProvenCaller, ProvenCallers
from wsmsg.peers.identity import PeerIdentity
from wsmsg.peers.refusals import Refusals
from wsmsg.peers.secrets import MOST_KEYS, NONCE_BYTES, PROOF
from wsmsg.peers.tls import is_certified
from wsmsg.rpc import peer_pb2, peer_pb2_grpc

#: C{grpc.aio.ServicerContext}; gRPC has no types.
Context = Any

_HEALTH = "/grpc.health.v1.Health/Check"
_PROVE = "/rest.PeerService/Prove"
#: The methods that legacy peers call.
_LEGACY = frozenset(
    {
        "/rest.MessageService/MessageStream",
        "/rest.MessageService/SendWSMessage",
        "/rest.MessageService/GetHistoryMessages",
        "/rest.ConnectService/OnlineStatus",
    }
)
_REFUSED = (
    "this listener serves only daemons that prove that they know its secret "
    "(peer.secrets, or peer.key in the data directory)"
)


class PeerGuard(
    grpc.aio.ServerInterceptor,  # type: ignore[misc]
    peer_pb2_grpc.PeerServiceServicer,
):
    """
    Serves the callers that have proven themselves, and refuses others.

    @param callers: returns the networks of legacy peers, which prove nothing.
    """

    def __init__(
        self,
        identity: PeerIdentity,
        refusals: Refusals,
        seconds: Callable[[], float],
        *,
        callers: Callable[[], Sequence[str]],
    ) -> None:
        self._identity = identity
        self._refusals = refusals
        self._proven = ProvenCallers(identity.secrets, seconds)
        self._callers = callers

    def add_to(self, server: grpc.aio.Server) -> None:
        """
        Serve the first call of a dialler.
        """
        peer_pb2_grpc.add_PeerServiceServicer_to_server(self, server)

    async def Prove(
        self, request: peer_pb2.ProveRequest, context: Context
    ) -> peer_pb2.ProveResponse:
        """
        Prove that this daemon knows a secret of the dialler.
        """
        if len(request.nonce) != NONCE_BYTES or not 0 < len(request.keys) <= MOST_KEYS:
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"a nonce of {NONCE_BYTES} bytes and 1 to {MOST_KEYS} keys are needed",
            )
        peer = context.peer()
        proof = self._proven.challenge(peer, request.nonce, request.keys)
        if proof is None:
            self._refusals.note("secret", address_of(peer), "Prove")
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, _REFUSED)
            raise AssertionError  # abort raises
        return peer_pb2.ProveResponse(
            nonce=proof.nonce, key=proof.key, proof=proof.proof
        )

    async def intercept_service(
        self,
        continuation: Callable[[Any], Awaitable[Any]],
        handler_call_details: Any,
    ) -> Any:
        """
        Return what answers a call, with the check before it.
        """
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        is_open = method in (_HEALTH, _PROVE) or not self._identity.required
        if handler is None or is_open:
            return handler
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(
                _Unary(self, method, handler.unary_unary).answer,
                handler.request_deserializer,
                handler.response_serializer,
            )
        if handler.stream_stream is not None:
            return grpc.stream_stream_rpc_method_handler(
                _Stream(self, method, handler.stream_stream).serve,
                handler.request_deserializer,
                handler.response_serializer,
            )
        return grpc.stream_stream_rpc_method_handler(
            _Stream(self, method, _no_such_call).refuse
        )

    async def admit(self, method: str, context: Context) -> ProvenCaller | None:
        """
        Let a call pass, or end it.

        @return: the caller, if it has proven itself; L{None} for a legacy peer.
        """
        caller = self.caller(context)
        if caller is None and not (
            self._is_certified(context) or self._is_legacy(method, context)
        ):
            await self.refuse(method, context)
        return caller

    def caller(self, context: Context) -> ProvenCaller | None:
        """
        Return the caller if it has proven itself.
        """
        data = _proof_in(context)
        return self._proven.check(context.peer(), data) if data else None

    async def check(self, method: str, context: Context) -> None:
        """
        End a call that only daemons may make which have proven themselves.
        """
        if not self._identity.required or self._is_certified(context):
            return
        if self.caller(context) is None:
            await self.refuse(method, context)

    async def refuse(self, method: str, context: Context) -> None:
        """
        End a call.
        """
        reason = "proof" if _proof_in(context) else "unproven"
        name = method.rpartition("/")[2]
        address = address_of(context.peer())
        self._refusals.note(reason, address, name)  # type: ignore[arg-type]
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, _REFUSED)

    def end_stream(self, caller: ProvenCaller) -> None:
        """
        Note the end of a stream.
        """
        self._proven.end_stream(caller)

    def _is_certified(self, context: Context) -> bool:
        return self._identity.by_certificate and is_certified(context)

    def _is_legacy(self, method: str, context: Context) -> bool:
        networks = self._callers()
        if method not in _LEGACY or not networks:
            return False
        return is_within(address_of(context.peer()), networks)


@attrs.frozen
class _Unary:
    """
    A unary method behind the guard.
    """

    guard: PeerGuard
    method: str
    behind: Callable[[Any, Context], Awaitable[Any]]

    async def answer(self, request: Any, context: Context) -> Any:
        caller = await self.guard.admit(self.method, context)
        if caller is not None:
            context.set_trailing_metadata(((PROOF, caller.answer),))
        return await self.behind(request, context)


@attrs.frozen
class _Stream:
    """
    A stream method behind the guard.
    """

    guard: PeerGuard
    method: str
    behind: Callable[[Any, Context], Any]

    async def serve(self, requests: Any, context: Context) -> None:
        caller = await self.guard.admit(self.method, context)
        if caller is None:
            await self._run(requests, context)
            return
        caller.begin_stream()
        try:
            await context.send_initial_metadata(((PROOF, caller.answer),))
            await self._run(requests, context)
        finally:
            self.guard.end_stream(caller)

    async def refuse(self, requests: Any, context: Context) -> None:
        await self.guard.refuse(self.method, context)

    async def _run(self, requests: Any, context: Context) -> None:
        serving = self.behind(requests, context)
        if hasattr(serving, "__aiter__"):
            async for answer in serving:
                await context.write(answer)
        else:
            await serving


def _no_such_call(requests: Any, context: Context) -> None:
    raise AssertionError("never served")


def _proof_in(context: Context) -> bytes:
    for key, value in context.invocation_metadata() or ():
        if key == PROOF:
            return bytes(value)
    return b""


def address_of(peer: str) -> str:
    """
    Return the IP address in the name that gRPC has for the other end of a connection:
    C{ipv4:127.0.0.1:4711}, C{ipv6:%5B::1%5D:4711}.
    """
    kind, _, rest = unquote(peer).partition(":")
    if kind not in ("ipv4", "ipv6"):
        return peer
    return rest.rpartition(":")[0].strip("[]").partition("%")[0]


def is_within(address: str, networks: Sequence[str]) -> bool:
    """
    Return whether an address is in one of these networks.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    found = [ipaddress.ip_network(network) for network in networks]
    return any(each in network for each in (ip, mapped) if each for network in found)
