"""
The demo, C{wsmsg demo}: both daemons and two users who talk.
"""
