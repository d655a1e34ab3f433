"""
Tests of L{wsmsg.events}.
"""
