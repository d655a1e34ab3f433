"""
Plug-ins of Connect for the legacy system.  Only the tap imports them, when they are
needed.

clients   sessions of legacy clients
upstream  streams to a legacy Message
redis     the Redis that legacy Connects share
"""
