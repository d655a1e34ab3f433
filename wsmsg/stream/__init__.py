"""
The gRPC bidirectional stream between Connect and Message: the dialling end, and what
both ends share.

::

    ClientService --> endpoint --> transport --> the protocol of a daemon
                                       `--> BatchWriter --> gRPC

    ask           one question to another Message
    clocks        comparison of the system clocks of both ends
    contract      the constants that both ends must agree on
    convert       conversion between values and the protobuf messages
    dialler       the dialling of one peer, again after each failure and each loss
    endpoint      the endpoint of one attempt
    transport     the connection that the endpoint opens; one write at a time, the
                  next takes all that was queued meanwhile
    spacing       how far apart frames are, by how busy the process is
    probe         unary calls that find out whether a peer is alive
    options       the channel and server options of gRPC
    errors        the errors of gRPC in plain words
    logins        the numbers of logins, by which the newest of a device is known
    forward       streams that a Message passes on to another one
    server        the base of the daemons' gRPC servers
"""
