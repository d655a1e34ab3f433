"""
Tests of L{wsmsg.connect.legacy.redis}.
"""
