"""
The capacity model: what a number of connections and a rate of messages need.

::

    constants   the measured constants, with the day and the code they were measured on
    model       processes, cores, memory, disk and network from them
    simulation  the queues of one Connect and one Message, event by event
    checks      the model against the simulation, and against C{wsmsg bench}
    rows        the tables of C{docs/explanation/sizing.md}

C{python -m tools.capacity} prints the need of one installation, C{--check} compares the
model with the simulation, and C{--measure} with this machine.
"""
