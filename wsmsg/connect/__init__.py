"""
The daemon at the edge: it holds the clients' connections, and nothing that matters.

::

    client == websocket --frames--> session --IUpstream--> upstream == Message
                  ^                    |                       |
                  `----- outbox <------'       registry <------'
                                          (pushes, receipts, presence)

The port: who gets a connection, and what it may cost
    port, admission     one TCP port; how many connections, how fast
    websocket           a WebSocket, by Autobahn; websocket_factory, _handshake,
                        _options; whole_frames, framing
    web, rpc, online    HTTP and gRPC for those who ask who is online
    heartbeat, tcp      who fell silent
    origins             which browsers may come

Sessions: no I/O
    session             one client's conversation: life, login, requests, intake,
                        blocks, output, pushes
    outbox              what it has not read
    registry, node      all of them; due and spread: what they wait for; counts

Deployed clients: small clients of ours, in here
    legacy              what they share; legacy_session is one's conversation
    legacy_sends        what they sent, until it is accepted; mark_pool: have seen
    legacy_feed         what they are given, in order; legacy_outbox
    legacy_watch        whose presence they are told

Deployed Connects: beside them in their Redis
    deployed_redis      tells who is here, as deployed_redis_ledger says, by
                        deployed_redis_scripts; deployed_redis_beside: put together
    deployed_redis_inbox    hears what they hand on, read by deployed_redis_forward

Upstream: Message, as the sessions see it
    upstream            all Messages; upstream_peer is one, upstream_stream one stream
    upstream_endpoint   finds out of which kind a Message is, and dials it
    deployed            a stream to a deployed one; deployed_acks, deployed_repeats:
                        what it cannot keep; deployed_wire
    pending, arrivals   sends without an answer; users that Message does not know yet
    queries, deltas     reads; what waits for the next frame
    discovery           where the Messages are; discovery_static
    wire                between values and protobuf

The whole
    tap, service        the options and the tree; stop, reload, tell
    interfaces          the seams between these
"""
