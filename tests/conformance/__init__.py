"""
The conformance kit: the legacy system as data and as scripted peers, written from
its contract alone, so that ours can be held against something that is not ours::

    contract    the tables of the contract, and messages made from them at run time
    recording   what the legacy peers were seen to write, byte for byte
    sequences   more bytes, made from the tables

    peer_client    the legacy test client
    peer_connect   a legacy Connect: its stream, its WebSockets, its HTTP
    peer_message   a legacy Message: its gRPC and its HTTP

    record, websocket, plain_http, streams, store    what the peers stand on

Nothing here but the tests knows our code (C{test_independence} holds that); the tests
in C{daemons/} start our daemons and put the peers beside them, those here show that
the kit is right by itself.
"""
