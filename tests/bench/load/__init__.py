"""
Tests of L{wsmsg.bench.load}.
"""
