"""
The demo, C{wsmsg demo}: both daemons and two users who talk.

::

    daemons  both daemons as real processes
    demo     the command
    people   the two users, and the checks of their messages
    script   the text that the demo plays
"""
