"""
Tests of L{wsmsg.prove}.
"""
