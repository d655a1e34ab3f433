"""
An instant-messaging backend that loses nothing, in two Twisted daemons.

::

    client --WebSocket--> connect --gRPC stream--> message --> journal, store

    errors      whose fault, may they retry; gRPC, HTTP and close codes
    model       messages, conversations, cursors: frozen values
    frames      what clients and Connect say to each other, however spelled
    settings    the file, the environment and the options, checked at once
    dependency  the state of one thing that a daemon needs
    streams     batches over a gRPC bidirectional stream
    connect     the daemon at the edge
    message     the daemon at the core
    client      the Python client
    cli         the C{wsmsg} command
    rpc         generated from protos/, never edited
"""

__version__ = "0.1.0"
