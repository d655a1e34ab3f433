"""
Consent: whether a user may begin to reach another one, and see who is online.

interface  what ingress and queries use
contacts   the rule about reaching: everyone, acquaintances, or what a hook answers
sight      the users whose presence another user may see, by blocks and a rule
sharing    conversations and groups that users share, and remembered answers
hook       asks the operator's service
"""
