"""
The benchmark, C{wsmsg bench}.

::

    against  the options of the comparison with other systems
    bench    the command
"""
