"""
The store in MongoDB.
"""
