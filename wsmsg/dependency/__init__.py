"""
State, retry and reopening of each thing that a daemon needs.
"""
