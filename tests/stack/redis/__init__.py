"""
Tests of the registry and of presence in a real Redis.
"""
