"""
SQLite files, each owned by one process.
"""
