"""
Tests of L{wsmsg.daemon.supervisor}.
"""
