"""
Tests of L{wsmsg.sqlite}.
"""
