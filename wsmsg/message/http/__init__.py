"""
The HTTP API of Message.

api            the public listener: health, the API, and the routes of plug-ins
consent        blocks of users, and invitations to groups
dead_letters   lists and replays dead letters, on the admin listener
groups         groups and their members
life           what became of a message
messages       sends messages, and reads conversations
names          takes and gives names of users
presence       the presence of users
refused        connections without the header of a proxy that is expected
users          conversations, unread counts and sessions of users
workers        the admin listener of a Message that consists of workers
"""
