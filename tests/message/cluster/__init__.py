"""
Tests of L{wsmsg.message.cluster}.
"""
