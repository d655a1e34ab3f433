"""
The messages of the legacy system, as its clients and its peers write them.

::

    codec  messages of legacy clients, which have no subprotocol
    extra  what these have beside content and recipient: timestamp, type, ack_id
"""
