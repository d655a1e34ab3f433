"""
Tests of L{wsmsg.protocol}.
"""
