"""
Tests of the features that users see, with real daemons.
"""
