"""
Tests of L{wsmsg.message.life}.
"""
