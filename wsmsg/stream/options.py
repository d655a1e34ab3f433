"""
Channel and server options of gRPC.  The keepalive options of both ends must agree.
"""

from __future__ import annotations

#: The longest message that either end of a stream accepts.
MESSAGE_BYTES = 16 * 2**20


def _sizes() -> list[tuple[str, int]]:
    return [
        ("grpc.max_send_message_length", MESSAGE_BYTES),
        ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ]


def _keepalive(keepalive_s: float) -> list[tuple[str, int]]:
    if not keepalive_s:
        # The bandwidth probe sends pings as well.
        return [("grpc.http2.bdp_probe", 0), *_sizes()]
    # A ping follows keepalive_s of silence, and its answer may take as long: a dead
    # peer is found in twice keepalive_s.
    ms = max(100, int(keepalive_s * 1000))
    return [
        ("grpc.keepalive_time_ms", ms),
        ("grpc.keepalive_timeout_ms", ms),
        # Without this option, whose default is a minute, a half-open peer is found
        # after keepalive_s + 60 s, whatever keepalive_timeout_ms says.
        ("grpc.http2.ping_timeout_ms", ms),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        *_sizes(),
    ]


def channel_options(keepalive_s: float) -> list[tuple[str, int]]:
    """
    Return the options of a client's channel.

    @param keepalive_s: the interval of pings; 0: no pings.  A server that is not set up
        for them (the default of Go allows one in five minutes) closes the connection
        with C{too_many_pings}.
    """
    return [
        # Without this a new channel shares the connection and the backoff of the old
        # one.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_retries", 0),
        ("grpc.enable_http_proxy", 0),
        *_keepalive(keepalive_s),
    ]


def server_options(keepalive_s: float) -> list[tuple[str, int]]:
    """
    Return the options of a server that accepts the pings of L{channel_options}.
    """
    return [
        # A second server on the port must fail, not silently share the calls.
        ("grpc.so_reuseport", 0),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 50),
        ("grpc.http2.max_ping_strikes", 0),
        *_keepalive(keepalive_s),
    ]
