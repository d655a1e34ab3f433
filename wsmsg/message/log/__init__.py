"""
The log: makes messages durable, and delivers them.

::

    ingress --add--> IMessageLog --stored, numbered--> links (push)
               ^          |
               '-answered-'

    interface  the interface of the log, and the result of adding messages
    journaled  the log with a journal: accepted there, stored and pushed later
    appends    appends records and looks up their identities, in batches
    backlog    whether records of an earlier run may not be stored yet

The log without a journal is L{wsmsg.message.delivery.store_log}.
"""
