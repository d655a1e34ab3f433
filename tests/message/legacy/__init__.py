"""
Tests of L{wsmsg.message.legacy}.
"""
