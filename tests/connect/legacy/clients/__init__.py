"""
Tests of L{wsmsg.connect.legacy.clients}.
"""
