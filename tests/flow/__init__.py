"""
Tests of L{wsmsg.flow}.
"""
