"""
An instant-messaging backend that loses nothing, in two Twisted daemons.

::

    client --WebSocket--> connect --gRPC stream--> message --> journal, store

    errors      the table of errors, with their gRPC, HTTP and close codes
    model       messages, conversations, cursors: frozen values
    text        text for people: escapes, URLs without passwords
    names       names of users and keys of groups: what can be one, and their numbers
    events      the kinds of events: messages that change something
    protocol    the client protocol: its frames and their encodings
    legacy      the messages of the legacy system, as its clients and peers write them
    stream      the gRPC stream between Connect and Message
    peers       the proof that two daemons give each other
    settings    the file, the environment and the options, checked at once
    auth        the identity of a user, by a token
    flow        limits on the flow of work, and its batches
    dependency  the state, retry and reopening of what a daemon needs
    redis       connections to Redis
    sqlite      a SQLite file, and its thread
    http        the HTTP layer of every listener
    monitoring  health, metrics, logs and the admin listener
    tracing     spans of traced messages, for OpenTelemetry
    daemon      the process around the parts of a daemon
    connect     the daemon at the edge
    message     the daemon at the core
    client      the Python client
    transfer    export and import
    cli         the C{wsmsg} command
    bench       load, and reports about it
    prove       load and faults, and the check of the promises
    rpc         generated from protos/wsmsg/rpc, never edited
"""

__version__ = "0.1.0"
