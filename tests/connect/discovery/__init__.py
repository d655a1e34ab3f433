"""
Tests of L{wsmsg.connect.discovery}.
"""
