"""
The store in one SQLite file.

    events   events as the store applies them, by kind
"""
