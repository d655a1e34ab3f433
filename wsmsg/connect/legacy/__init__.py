"""
Support of the legacy Go system in Connect: plug-ins that only the tap imports.

::

    legacy client == clients --> session, upstream of wsmsg
    upstream of wsmsg --> upstream == legacy Message
    sessions of wsmsg <-> redis == Redis of the legacy Connects

    clients   sessions of legacy clients
    upstream  streams to legacy Messages
    redis     presence and forwarded messages, shared with legacy Connects
"""
