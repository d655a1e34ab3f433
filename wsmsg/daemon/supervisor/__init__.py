"""
The supervisor: the process of a daemon with C{workers} that starts the others.

::

    supervise --+-- workers --- worker --- command     a process each, started again
                |      `------- asking                 what their admin listeners answer
                `-- totals                             all of them as one

It runs nothing of the daemon itself but the admin listener, where it answers for all
workers, and the reports to systemd.

asking     HTTP to the admin listeners of the workers
command    the command line and the environment of a worker
forward    calls that any one worker can answer
supervise  composition
totals     documents of several workers as one
worker     one worker: its process, and the next one after that
workers    all workers: start, reload, stop
"""
