"""
Tests of L{wsmsg.message.presence}.
"""
