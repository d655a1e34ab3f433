"""
The tokens of sessions that are open.

expiry     the reminders and ends of sessions whose tokens expire
interface  what other packages of Connect use
"""
