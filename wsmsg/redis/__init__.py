"""
Connections to Redis, shared by both daemons.
"""
