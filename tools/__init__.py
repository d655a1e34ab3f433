"""
What makes parts of the tree from others.
"""
