"""
A worker: one of several processes of a daemon, as it sees itself.

A supervisor (L{wsmsg.daemon.supervisor}) starts the workers, each with
C{WSMSG_WORKER=2/4} in its environment and two pipes::

    supervisor --orders (lines of JSON)--> worker      the pipe ends: so does the worker
    supervisor <--facts (lines of JSON)--- worker      no fact for a while: it hangs

crew   the workers, as the parts of their supervisor see them
ends   the worker's end of the pipes: what it reports, and what it obeys
facts  the lines on them
ports  sockets of ports that all workers listen on
share  its number, and its share of the settings
"""
