"""
The benchmark: load over real WebSockets, compared with the floor, a bare echo server.

::

    wsmsg bench -> scenarios -> processes: twistd connect, twistd message, floor
                       |
                       `-> load (a process of its own) -> peers -> WebSockets
                               `-> LoadResult -> report -> text, JSON

    floor      a bare Autobahn echo server; C{python -m wsmsg.bench.floor}
    processes  start and stop of the servers; their CPU and memory
    profiles   the daemons under cProfile
    report     the figures as a table, with the aims
    scenarios  the measurements: floor, saturation, latency, group, logins,
               idle
    stack      Kafka, MongoDB and Redis for the measurements
    load       a package: the load generator
    against    a package: other systems under the same load

The daemons import nothing of it.
"""
