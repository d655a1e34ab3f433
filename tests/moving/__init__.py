"""
Tests for L{wsmsg.moving}.
"""
