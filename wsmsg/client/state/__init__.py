"""
The decisions of the client, without I/O.

::

    checks       checks of what the program passes, before it is queued
    cursors      progress in each conversation, to report; receipts of others
    event_queue  the bounded queue of events for the program
    events       events that the program receives
    exchange     both directions of the protocol; uses the modules above and below
    heartbeat    liveness of the connection
    inflow       one conversation, as its messages arrive
    inbound      received messages: each once, in order, without a gap
    listing      queries for changed conversations
    outbound     sends: order, window, repeats
    positions    the position file
    queries      queries of the program: each is sent until it is answered
    reconnect    decision to reconnect: when, and to which address
    tracing      the frame that the server cannot decode
    unnumbered   received messages of a server without numbers
"""
