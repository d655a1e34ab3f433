"""
Consent: whether a user may begin to reach another one, and see who is online.

interface  what ingress and queries use
contacts   the rule of the operator: everyone, acquaintances, or what a hook answers
sight      the users whose presence another user may see
hook       asks the operator's service
"""
