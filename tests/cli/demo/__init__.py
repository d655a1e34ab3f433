"""
Tests of L{wsmsg.cli.demo}.
"""
