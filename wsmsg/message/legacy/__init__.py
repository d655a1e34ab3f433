"""
The plug-in for peers of the legacy Go system: its Connects, and its HTTP contract.

::

    legacy Connect == stream == LegacyConnect --> LegacyConnectSends --> Ingress
                                   |         `--> LegacyConnectAcks ---> Marks
                                   `-- LegacyConnectOutbox <-- LegacyConnects <-- Links
    legacy Connect -- calls --> LegacyCalls --> Ingress, History
    legacy service -- HTTP ---> LegacyHttpCalls --> Ingress, History, store

Only the tap imports this package.

acks        the acknowledgements of one legacy Connect
calls       the unary gRPC calls
convert     conversion of messages between the legacy protocol and values
history     old messages by page and size
http        the HTTP contract: its routes
http_forms  the HTTP contract: its bodies
outbox      the events that wait for one legacy Connect
peer        one legacy Connect: the meaning of its events
peers       all legacy Connects
plugin      the parts of this package, put together
relay       the streams to other Messages, whose pushes legacy Connects need
relay_peer  one such stream
sends       the sends of one legacy Connect, until they are accepted
stream      the gRPC stream of one legacy Connect
"""
