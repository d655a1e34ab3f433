"""
The C{wsmsg} command; a command is a module, imported when it is called.

::

    main          the group and its overview
    places        where things are on this machine; failing with one line
    plain         text of others, made safe for a terminal
    admin         asking a daemon's admin listener
    chat          chat_screen draws chat_view on a terminal; chat_lines reads a pipe
    demo          demo_daemons, demo_script, demo_talk: what it is made of
    token         tokens: how they are made
    status  doctor  dead_letters  check_config  bench  completion
"""
