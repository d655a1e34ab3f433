"""
The connection to the server, as frames.

::

    interface  the contract of a connection, and its end
    websocket  a WebSocket; the only module that knows the library
    refusal    an HTTP answer in place of a WebSocket
"""
