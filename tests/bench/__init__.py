"""
Tests of the benchmark: its bytes and its accounts, never its speed.
"""
