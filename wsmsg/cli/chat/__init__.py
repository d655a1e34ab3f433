"""
The chat of the terminal, C{wsmsg chat}.

::

    chat      the command
    cells     text in the cells of a terminal
    commands  lines that begin with a slash
    controls  parts of the screen that prompt_toolkit asks for their content
    pipe      chat from a pipe: each line is a message
    rows      the rows that the conversation takes, and which are in sight
    screen    drawing of the rows on a terminal, and input
    target    the user or the group to talk to
    view      lines of the conversation with their marks
"""
