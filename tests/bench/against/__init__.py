"""
Tests of the benchmark of other systems.
"""
