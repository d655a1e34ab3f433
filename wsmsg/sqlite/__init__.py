"""
SQLite files, each owned by one process.

file   one file: its lock, its schema, and its connection
rows   many rows in one statement
space  the space and the kind of a file system
"""
