"""
Tests of the export of traces.
"""
