"""
Tests of L{wsmsg.monitoring}.
"""
