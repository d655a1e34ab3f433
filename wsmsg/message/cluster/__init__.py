"""
This Message among the others: its entry in their list, and the ids that it gives out.

interface     what other packages use
message_ids   ids that are unique among all Messages
nodes         the other nodes, as this Message knows them
registry      the list of Messages in Redis
reserved_ids  reserves ids in the store, so that a clock set back repeats none
"""
