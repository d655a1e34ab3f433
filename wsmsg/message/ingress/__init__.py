"""
The way of a send into the journal.
"""
