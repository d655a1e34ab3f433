"""
Presence and forwarded messages, shared with legacy Connects through their Redis.

::

    registry --joined, left--> presence --> ledger, scripts --> Redis
    registry <--push---------- inbox <-- forward <------------- Redis

    setup     the bridge: both connections to the Redis
    presence  writes the sessions of this node
    ledger    what has to be written, renewed and removed
    scripts   the Lua scripts that write
    inbox     receives the messages that legacy Connects forward
    forward   validation of a forwarded message
"""
