"""
SQLite files, each owned by one process.

file    one file: its connection, and many rows in one statement
lock    the right of one process to use the file
schema  the kind and the version of the file and of its tables
space   the space and the kind of a file system
"""
