"""
Tests of the coexistence with the legacy system on real servers.
"""
