"""
The terminal chat, C{wsmsg chat}.
"""
