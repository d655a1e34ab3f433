"""
Consent: whether a user may begin to reach another one.

interface  what ingress uses
contacts   the rule of the operator: everyone, acquaintances, or what a hook answers
hook       asks the operator's service
"""
