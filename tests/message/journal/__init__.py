"""
Tests of L{wsmsg.message.journal}.
"""
