"""
Tests of L{wsmsg.daemon.worker}.
"""
