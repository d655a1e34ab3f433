"""
Tests of L{wsmsg.text}.
"""
