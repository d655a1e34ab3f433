"""
Tests of hostile clients, hostile peers and limits.
"""
