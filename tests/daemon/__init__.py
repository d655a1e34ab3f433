"""
Tests of L{wsmsg.daemon}.
"""
