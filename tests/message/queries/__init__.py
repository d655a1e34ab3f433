"""
Tests of L{wsmsg.message.queries}.
"""
