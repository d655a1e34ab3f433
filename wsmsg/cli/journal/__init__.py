"""
C{wsmsg journal}: the topic of a journal in Kafka.

journal      the command
repartition  the move to a topic with another number of partitions
"""
