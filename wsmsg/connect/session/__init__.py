"""
Sessions: the authenticated state of each connection, without I/O.
"""
