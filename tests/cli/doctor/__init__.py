"""
Tests of L{wsmsg.cli.doctor}.
"""
