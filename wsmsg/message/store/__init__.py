"""
The store: messages, groups and read marks.

interface    the roles of a store, and the values that it returns
consent      the role that knows blocks, invitations and withheld messages
history      the epoch of a store
archive      the interface of a store that is read from beginning to end
durability   what the confirmation of a MongoDB deployment is worth
membership   the membership of a user in a group, at each number; no I/O
id_order     the order of message ids, old and new
numbers      the numbers of changes, and what they prove about a position; no I/O
list_page    a page of a list of conversations in progress; no I/O
page_span    the arguments of a page of messages
position     how far a list of conversations has told its reader what changed; no I/O
roles        the part that all roles share, and the reservation of message ids
read_ranges  the ranges of messages that a user has read above a cursor; no I/O
windows      bounded pieces of a shard's change numbers; no I/O
mongo/       the store in MongoDB, for many Messages
sqlite/      the embedded store, for one Message
"""
