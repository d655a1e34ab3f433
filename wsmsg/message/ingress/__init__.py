"""
Ingress: from a send request to a message in the log.

::

    links, http --SendRequest--> ingress --add--> log (IAppends)
                                    |
                                    '-- judging --> group_rules (groups, events)

    interface    requests, answers, and the interfaces of ingress
    ingress      accepts requests: repeats, limits, order
    validation   what is wrong with a request in itself
    gate         closed while no message must be accepted, though the journal would
    refusals     refuses requests for now, and keeps the order of their senders
    doubts       repeats that may have been accepted elsewhere wait for the store
    judging      holds requests while the group rules judge them
    remembered   the messages that were accepted of late, without their contents
    group_rules  judges sends to groups and events by what the store knows
    facts        what the store knows, asked for a batch together
    backlog_watch  closes the gate before too much waits to be stored
    disk_watch   closes the gate before the disk of embedded files is full
    watches      the two watches, made for the settings
    submit       submission of one message for a caller that waits until it is stored
"""
