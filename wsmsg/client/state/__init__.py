"""
The client's decisions, without I/O.
"""
