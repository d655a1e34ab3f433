"""
WebSocket connections.

::

    bytes --> handshake, once (usual_handshake, or autobahn)
      |
      `-----> reader --> connection --> session --> output --> bytes

connection       one WebSocket: its handshake, and the half that reads
output           the half that writes, all of a reactor turn at once, and ends the
                 connection
factory          the parts that all WebSockets share
handshake        the check of a handshake, and the answer to a bad one
usual_handshake  the usual handshake, the quick way
autobahn         every other handshake, by Autobahn
reader           frames from bytes, and what RFC 6455 forbids
frames           the first bytes of frames, and control frames to bytes
tcp_info         progress of the written data, as the kernel knows it
"""
