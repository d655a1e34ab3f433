"""
Tests of starting, reloading and stopping daemons.
"""
