"""
Presence: the users of each Connect, for readers outside, under a lease for each
Connect.

interface  IPresence
memory     presence in the memory of one Message
redis      presence in Redis, shared by all Messages
scripts    the Lua scripts of the latter, and its keys
"""
