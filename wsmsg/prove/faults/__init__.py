"""
The faults of a proof.

::

    clocks    system clocks that are stepped
    ledger    the faults of a run, as its history tells them
    nemesis   injects faults of daemons, ways and servers, and repairs them
    peers     faults of clients: slow and dead readers, storms
    proxy     a TCP proxy that can fail like a network
    silent    a Connect that does not acknowledge
"""
