"""
Reads on behalf of users, and the marks of what they have read.

interface  the queries and their answers as values; what other packages use
consent    blocks and invitations, and the ends of conversations for their users
heads      conversations as their user sees them
history    evidence that the store is an older copy of itself
marks      read marks, stored in batches; the places of recent messages by their ids
queries    pages, conversations, groups, presence
unread     unread messages of a user, page by page
"""
