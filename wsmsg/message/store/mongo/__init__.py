"""
The store in MongoDB, for many Messages.

::

    store --> messages, heads, groups, events, cursors, marks, unread
                 |  commands in the terms of documents
                 v
              connection --> pool (txmongo) --> MongoDB

archive     the store, read from beginning to end
backend     makes the store for the settings
bulk_raise  changes many documents by one statement, each to values of its own
connection  keeps the pool open: commands with a limit of time
cursors     the collection of cursors, and that of the names of users
consent     blocks, invitations and withheld messages
documents   the documents, and the commands that write and find them
events      applies events, one function for each kind
groups      groups and their members
heads       the conversations: their heads, and a user's by their changes
marks       cursors with ranges of read messages above them
messages    inserts of messages, a prefix of each conversation, and pages
driver      a package: the pool of connections
shards      the numbers of changes
store       IMessageStore: joins the other modules
unread      the unread messages of a user
"""
