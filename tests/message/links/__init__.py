"""
Tests of L{wsmsg.message.links}.
"""
