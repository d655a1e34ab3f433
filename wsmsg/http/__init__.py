"""
The HTTP layer that every listener of both daemons uses.
"""
