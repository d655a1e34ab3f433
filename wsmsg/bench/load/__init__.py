"""
The load generator of C{wsmsg bench}, which runs in a process of its own.
"""
