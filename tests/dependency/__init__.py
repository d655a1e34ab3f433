"""
Tests of L{wsmsg.dependency}.
"""
