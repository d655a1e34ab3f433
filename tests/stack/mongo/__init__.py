"""
Tests of the store in a real server with MongoDB's protocol.
"""
