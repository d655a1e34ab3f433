"""
Tests of the benchmark: its bytes and its books, never its speed.
"""
