"""
An instant-messaging backend that loses nothing, in two Twisted daemons.

::

    client --WebSocket--> connect --gRPC stream--> message --> journal, store

    errors      whose fault, may they retry; gRPC, HTTP and close codes
    model       messages, conversations, cursors: frozen values
    frames      what clients and Connect say to each other, however spelled
    fences      nothing overtakes what was turned away
    dependency  the state of one thing that a daemon needs
    retry       how long to wait before the next attempt
    rates       how often somebody may do something
    redis_connection    one to Redis, opened again; redis_listening hears there
    tokens      who somebody is; auth_jwt: by JSON Web Tokens
    codecs      the frames as protobuf and as JSON
    settings    the file, the environment and the options, checked at once
    daemon      what makes a process a daemon
    streams     a gRPC stream as a connection
    connect     the daemon at the edge
    message     the daemon at the core
    client      the Python client
    cli         the C{wsmsg} command
    bench       load, and the floor it is compared with
    rpc         generated from protos/, never edited
"""

__version__ = "0.1.0"
