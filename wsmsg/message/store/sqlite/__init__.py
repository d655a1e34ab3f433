"""
The embedded store: a SQLite file on this machine, used by one Message.

archive  one snapshot of the file, for an export
backend  makes the store for the settings
changes  the conversations of a user by their last change
consent  blocks, invitations, and whose last messages are withheld
cursors  raises cursors, by cursors and by marks
events   applies events, one function for each kind
file     the tables, and the reader and the writer of messages
groups   the rows of groups and members
history  the name of the history, and the generations of ids
marks    the read ranges above cursors
pages    pages of conversations, bounded in bytes
usage        what users have used of their limits
store    IMessageStore: one thread that reads, one that writes
unread   the unread messages of a user, looked at in pieces
users    the names of users, and their revoked tokens
"""
