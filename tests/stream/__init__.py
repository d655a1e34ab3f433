"""
Tests of L{wsmsg.stream}.
"""
