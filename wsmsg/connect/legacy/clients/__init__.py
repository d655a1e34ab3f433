"""
Legacy clients: connections without a subprotocol, which speak the legacy protocol.

clients     the plug-in: sessions, and what outlives them
session     the session of one legacy client
feed        the messages that it is given, in order and without gaps
outbox      its queue of output, which reports when it is empty
partners    the users whose presence a client receives
sends       its messages, held until Message accepts them
send_queue  those of one user in one conversation, in order
mark_pool   its acknowledgements, kept until Message has stored them
counters    counters of all sessions
"""
