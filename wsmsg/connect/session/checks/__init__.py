"""
Checks of what the sessions of a node may be shown.

presence  whether watched users are hidden from the sessions that watch them
"""
