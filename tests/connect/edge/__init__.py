"""
Tests of L{wsmsg.connect.edge}.
"""
