"""
Connect: the daemon that holds the clients' connections.  It stores nothing.

::

                  edge          websocket        session         upstream
    client == port ----------> connection ----> session ------> streams == Message
                `-- http, rpc      ^               |               |
                                   `--- outbox <---+-- registry <--'
                                                       (pushes, receipts, presence)

A message of a client passes from left to right: the port hands the TCP connection to a
WebSocket connection, which passes frames to its session.  The session checks them and
passes sends and queries to the upstream, which has a gRPC stream to each Message that
discovery finds.  What Message pushes goes through the registry to the sessions of its
recipients, and through their outboxes to the clients.

tap        the command line, and the composition of all parts
node       ordered shutdown, new settings and status
metrics    the metrics of the streams and of the stages of messages
nodes      the Messages and the other Connects, for the status
plugins    the interface of optional parts

edge       the clients' port, admission, heartbeat, HTTP and gRPC
websocket  WebSocket connections
session    sessions and their registry, without I/O
tokens     the expiry of tokens while their sessions are open
upstream   the streams to all Messages
names      the names of users, where they have names
discovery  the addresses of the Messages
pages      the chat page, as browsers get it
traces     the traces of messages, where spans are exported
legacy     plug-ins for clients, Messages and Connects of the legacy system
"""
