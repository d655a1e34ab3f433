"""
Other systems under the load of C{wsmsg bench}: one generator, one report.

::

    wsmsg bench --against -> comparison -> load (a process of its own)
                                 |            `-> pair -> user -> wire, or Matrix
                                 `-> table         (connections)  (one protocol)

    centrifugo   Centrifugo's JSON protocol
    comparison   the measurements of each system, in turns
    http         HTTP/1.1 for a client, for Matrix
    interface    events of a protocol; a user of a system
    load         the load process
    matrix       Matrix's client-server API
    pair         load of a sender and a recipient
    plain        the messages of the relay
    relay        the floor: a relay on the library C{websockets}
    socketio     Socket.IO over Engine.IO
    systems      the systems by name, and how their users are made
    table        the figures as a table
    tinode       Tinode's JSON protocol
    user         a user on one WebSocket

A wire decides and does no I/O: it is given messages and returns events, so that its
tests replay what a real server said.
"""
