"""
Records of users in MongoDB, beside their conversations.

names  the names of users
"""
