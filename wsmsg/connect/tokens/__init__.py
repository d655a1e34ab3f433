"""
The tokens of sessions that are open.

expiry       the reminders and ends of sessions whose tokens expire
revocations  the revoked tokens of users
interface    what other packages of Connect use
"""
