"""
Traces of messages at the edge, while C{traces.endpoint} is set.

::

    client --send--> samples? --received--> Message --push--> written --> sessions

    edge       decides which messages are traced, and makes the first and the last span
    interface  the same, as the sessions see it
"""
