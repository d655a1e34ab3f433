"""
What both daemons are made of beside their own parts.

::

    twistd -- options -- running -- root --+-- the daemon's parts, in their order
                            |              +-- signals, notify, admin
                            `-- preflight, exits, reload, health, metrics, logs

A tap names its settings in a subclass of L{wsmsg.daemon.options.DaemonOptions} and
puts its parts into a L{wsmsg.daemon.app.Daemon}.
"""
