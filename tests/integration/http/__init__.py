"""
Tests of HTTP with real daemons.
"""
