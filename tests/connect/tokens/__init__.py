"""
Tests of L{wsmsg.connect.tokens}.
"""
