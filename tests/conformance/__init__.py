"""
The conformance kit: the legacy system as data and as scripted peers, written from its
contract alone, so that wsmsg can be tested against an independent implementation::

    contract    the tables of the contract, and messages made from them at run time
    recording   payloads recorded from the legacy peers, byte for byte
    sequences   more bytes, made from the tables

    peer_client    the legacy test client
    peer_connect   a legacy Connect: its stream, its WebSockets, its HTTP
    peer_message   a legacy Message: its gRPC and its HTTP

    record, websocket, plain_http, streams, store    what the peers are built on

Only the tests import our code (L{test_independence} checks that). The tests in
C{daemons/} run our daemons with the peers; those here test the kit itself.
"""
