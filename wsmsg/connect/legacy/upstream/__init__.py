"""
Streams to legacy Messages.
"""
