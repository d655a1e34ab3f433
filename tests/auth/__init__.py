"""
Tests of L{wsmsg.auth}.
"""
