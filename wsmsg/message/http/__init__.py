"""
The HTTP API of Message.

api            the public listener: health, the API, and the routes of plug-ins
dead_letters   lists and replays dead letters, on the admin listener
groups         groups and their members
messages       sends messages, and reads conversations
users          conversations, unread counts, presence and sessions of users
"""
