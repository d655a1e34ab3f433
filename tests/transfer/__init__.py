"""
Tests for L{wsmsg.transfer}.
"""
