"""
Limits on the flow of sends.
"""
