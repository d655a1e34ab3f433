"""
Generated from C{protos/} by C{make protos}; never edited.
"""
