"""
Limits of users: what each user may send, store, begin and join, over all devices.

::

    ingress --each send--> meters --every 5 s--> usage --> store
       '--held sends--> quotas: conversations with strangers, groups --> store

    interface  the parts that ingress and the streams use
    parts      all of them, as one part of the daemon
    settings   the limits as they are now, and the refusals by limit
    rates      the rates of sends that the Connects allow
    meters     sends a second and bytes a day of each user, in memory
    usage      saves what was counted, and learns what other Messages have counted
    quotas     the limits that only the store can tell
    pending    what was allowed and is not stored yet
"""
