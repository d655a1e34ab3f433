"""
Tests of L{wsmsg.settings}.
"""
