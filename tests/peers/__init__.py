"""
Tests of the proof between daemons.
"""
