"""
The command C{wsmsg prove}.

::

    prove    runs clients and faults, and checks the history
    history  checks a history, and plants violations in one
"""
