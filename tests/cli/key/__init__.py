"""
Tests for the package of C{wsmsg key}.
"""
