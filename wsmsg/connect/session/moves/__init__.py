"""
Clients that are asked to move: before a stop, for a drain, or to share the load.

::

    stop, POST /drain, POST /rebalance --> Moves --goaway--> sessions
                                             |
    other Connects --load--> Message --> Alternatives

moves         who is asked to move, and when
alternatives  which addresses each client is given
load          tells Message how much this Connect carries
http          the calls of operators
workers       the same, of a Connect that consists of workers
"""
