"""
The benchmark: load over real WebSockets, and the floor that it is compared with.

::

    wsmsg bench -> scenarios -> processes: twistd connect, twistd message, floor
                       |
                       `-> load (a process of its own) -> peers -> WebSockets
                               `-> LoadResult -> report -> text, JSON

    framing    RFC 6455 from the client's side, as cheap as Python allows
    encoding   the few client frames of the load, made of templates
    accounts   what was sent, accepted and delivered: lost, doubled, percentiles
    schedule   when an open loop sends
    plan       what a load process is told and what it answers
    peers      one connection each: echo, sender, recipient, idle
    load       runs one plan; C{python -m wsmsg.bench.load.load}
    floor      a bare Autobahn echo server; C{python -m wsmsg.bench.floor}
    processes  starting and stopping the servers; their CPU and memory
    scenarios  floor, saturation, latency, idle
    report     the figures as a table, with the aims beside them

Nothing here is imported by the daemons.
"""
