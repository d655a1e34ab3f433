"""
Tests of L{wsmsg_client}.
"""
