"""
C{wsmsg where}.

where  the command: the life of a message, as a table
"""
