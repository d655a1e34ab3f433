"""
Tests of L{wsmsg.message.store.mongo}.
"""
