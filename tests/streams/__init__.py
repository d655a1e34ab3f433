"""
Tests of L{wsmsg.streams}.
"""
