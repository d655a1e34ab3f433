"""
Reads of messages, conversations and marks.
"""
