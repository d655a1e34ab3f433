"""
Tests for the package of the calls of operators.
"""
