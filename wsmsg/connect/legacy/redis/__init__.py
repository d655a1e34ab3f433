"""
Presence shared with legacy Connects through their Redis.
"""
