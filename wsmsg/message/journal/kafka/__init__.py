"""
The journal in Apache Kafka: one topic that many Messages share, as a consumer group.

::

    append -> producer -> Kafka -> consumer -> incoming -> read
                 |          ^         | (thread)   ^ | settled
                 |          `- commit `------------+-'
                 `- delivered: from memory --------'

backend         makes the journal for the settings
config          the configuration of each client of the library
consumer        one consumer, in its thread
dead_letters    the topic of dead letters: list, and replay by a transaction
durability      what of a topic's settings may lose messages, looked at each minute
errors          the library's errors: what each means, and how it is worded
journal         IJournal: joins the other modules
letter_records  the records of the topic of dead letters; no I/O
letter_writer   writes dead letters, cut short if need be, with a producer of their own;
                removes the oldest
log             forwards the library's log
message_producers  the producers of messages, one after another
producer        one producer, and the thread of its acknowledgements
pulse           finds out that the brokers hang
moving/         another topic in the place of one that is in use
reading/        the records on their way from the consumer to the reader
topic_facts     the topics that must exist, and what is wrong with those that do; no I/O
topics          checks and creates the topics
"""
