"""
The chat of the terminal, C{wsmsg chat}.

::

    chat    the command
    pipe    chat from a pipe: each line is a message
    screen  drawing of the view on a terminal, and input
    target  the user or the group to talk to
    view    lines of the conversation with their marks
"""
