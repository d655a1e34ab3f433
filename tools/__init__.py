"""
Scripts that make parts of the tree from others, and measure it.
"""
