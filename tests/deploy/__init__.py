"""
Tests of the files in C{deploy}.
"""
