"""
Sources of the addresses of Message nodes.
"""
