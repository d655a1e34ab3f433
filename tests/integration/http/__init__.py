"""
Tests of the HTTP APIs with real daemons.
"""
