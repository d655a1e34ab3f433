"""
The durable log of accepted messages.
"""
