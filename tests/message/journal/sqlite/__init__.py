"""
Tests for L{wsmsg.message.journal.sqlite}.
"""
