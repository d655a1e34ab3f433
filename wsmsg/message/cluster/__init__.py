"""
Registry of Message nodes and the ids that they hand out.
"""
