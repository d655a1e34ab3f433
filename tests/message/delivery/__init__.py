"""
Tests of L{wsmsg.message.delivery}.
"""
