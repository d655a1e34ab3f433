"""
Tests of the traces of a Message.
"""
