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

Upstream: Message, as the sessions see it
    upstream            all Messages; upstream_peer is one, upstream_stream one stream
    pending, arrivals   sends without an answer; users that Message does not know yet
    queries, deltas     reads; what waits for the next frame
    discovery           where the Messages are; discovery_static
    wire                between values and protobuf

The whole
    tap, service        the options and the tree; stop, reload, tell
    interfaces          the seams between these
"""
