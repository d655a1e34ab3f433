"""
The records on their way from the consumer to the reader.

::

    consumer (thread) --arrived----> incoming --read--> delivery
    producer (thread) --delivered-->     |                 |
                                    partitions <--settled--'

ahead       one reading of a partition: what is next, and what was there already
ends        the known ends of the partitions, as the consumer asks for them
entry       a record of the Kafka library, as an entry of the journal
incoming    the records on hand, and who waits for them: the owner of the consumer
owner       the callbacks of the consumer
partitions  the positions of the assigned partitions
"""
