"""
A gRPC bidirectional stream as a connection, for the one end that dials and what both
ends share.

::

    endpoint      what ClientService dials, and the connection it gets
    echo          signs of life of a peer that gives none by itself
    batch_writer  one write at a time, all that queued meanwhile in the next
    grpc_options  how both ends set gRPC up, so that they bear each other
    grpc_errors   what gRPC says when it fails, in plain words
"""
