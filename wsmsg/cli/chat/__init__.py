"""
The chat of the terminal, C{wsmsg chat}.

::

    chat    the command
    consent  commands about blocks and invitations
    pipe    chat from a pipe: each line is a message
    screen  drawing of the view on a terminal, and input
    target  the user or the group to talk to
    view    lines of the conversation with their marks
"""
