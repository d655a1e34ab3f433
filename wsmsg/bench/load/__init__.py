"""
The load generator of C{wsmsg bench}, which runs in a process of its own.

::

    accounts      messages that were sent, accepted and delivered; percentiles
    connecting    opening of many connections
    encoding      the few client frames of the load, made from templates
    framing       RFC 6455 for a client, as cheap as Python allows
    group         load on one group
    load          runs one plan; C{python -m wsmsg.bench.load.load}
    measurements  CPU and time of a measurement
    pairs         load of pairs of users
    peers         one connection each: echo, sender, recipient, idle
    plan          the input and the result of a load process
    proc          CPU and memory of a process, from C{/proc}
    schedule      times of the sends of an open loop
"""
