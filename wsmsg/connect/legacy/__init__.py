"""
Support of the legacy Go system in Connect: plug-ins that only the tap imports, when
they are needed.

::

    legacy client --> clients --> session, upstream
    upstream --> legacy/upstream --> legacy Message
    session registry <--> redis <--> Redis of the legacy Connects

clients   sessions of legacy clients
upstream  streams to legacy Messages
redis     presence and forwarded messages, shared with legacy Connects
"""
