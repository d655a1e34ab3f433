"""
Tests of the traces of a Connect.
"""
