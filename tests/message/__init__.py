"""
Tests of C{wsmsg.message}.
"""
