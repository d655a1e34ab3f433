"""
Tests of L{wsmsg.message.store.sqlite}.
"""
