"""
Ingress: from a send request to a durable record in the journal.

::

    links, http --SendRequest--> ingress --> appends --> journal
                                    |           '-- lookup of identities --> store
                                    '-- judging --> group_rules (groups, events)

    interface    requests, answers, and the interfaces of ingress
    ingress      accepts requests: repeats, limits, order
    validation   what is wrong with a request in itself
    gate         closed while no message must be accepted, though the journal would
    refusals     refuses requests for now, and keeps the order of their senders
    doubts       repeats that may have been accepted elsewhere wait for the store
    judging      holds requests while the group rules judge them
    appends      appends records and looks up their identities, in batches; remembers
                 accepted messages without their contents
    group_rules  judges sends to groups and events by what the store knows
    facts        what the store knows, asked for a batch together
    backlog_watch  closes the gate before too much waits to be stored
    disk_watch   closes the gate before the disk of embedded files is full
    backlog      whether records of an earlier run may not be stored yet
    watches      the two watches, made for the settings
    submit       submission of one message for a caller that waits until it is stored
"""
