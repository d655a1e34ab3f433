"""
The loop from the journal through the store to the links.
"""
