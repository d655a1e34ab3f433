"""
Tests of L{wsmsg.message.http}.
"""
