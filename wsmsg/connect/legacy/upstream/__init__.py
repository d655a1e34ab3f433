"""
Streams to legacy Messages.

::

    upstream of wsmsg --> plugin --> endpoint, stream == legacy Message
                            `--> acks, repeats

    plugin    the behaviour of Connect while its Message is a legacy one
    endpoint  the gRPC endpoint, which waits for no welcome
    stream    the protocol of one stream
    acks      acknowledgements that wait, or that Message has not confirmed
    repeats   detection of sends that clients repeat
    convert   conversion between values and the events of the legacy protocol
"""
