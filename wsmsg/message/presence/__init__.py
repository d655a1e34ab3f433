"""
Presence: which Connects have which users.
"""
