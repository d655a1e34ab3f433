"""
The store of messages, groups and read marks.
"""
