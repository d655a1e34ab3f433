"""
Redis for both daemons: a connection that is kept open, and subscriptions.

connection  one connection, opened again whenever it is lost
subscriber  the protocol of a connection that receives published messages
"""
