"""
The journal: the durable log of accepted messages.

::

    ingress --append--> journal --read--> delivery --commit--> journal

interface  IJournal, and the values that it returns
letters    the kinds of dead letters, and how many of each are kept
record     the bytes of a record
witness    the texts that are written with commits
kafka/     the journal in Kafka, for many Messages
sqlite/    the embedded journal, for one Message
"""
