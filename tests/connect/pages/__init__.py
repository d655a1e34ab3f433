"""
The chat page of Connect.
"""
