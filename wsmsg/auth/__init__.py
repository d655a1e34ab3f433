"""
Tokens: who a client is, and the keys that prove it.
"""
