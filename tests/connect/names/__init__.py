"""
Tests of L{wsmsg.connect.names}.
"""
