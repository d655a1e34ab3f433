"""
Tests of L{wsmsg.cli.chat}.
"""
