"""
The commands that README and the pages in C{docs/} show.

::

    pages     the commands of a page
    table     what is typed, and what is not typed for which reason
    options   checks of a command that is not typed
    terminal  a machine of its own, on which commands are typed
"""
