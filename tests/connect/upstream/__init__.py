"""
Tests of L{wsmsg.connect.upstream}.
"""
