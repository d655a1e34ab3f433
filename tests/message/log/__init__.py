"""
Tests of L{wsmsg.message.log}.
"""
