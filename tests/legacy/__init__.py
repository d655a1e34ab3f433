"""
Tests of L{wsmsg.legacy}.
"""
