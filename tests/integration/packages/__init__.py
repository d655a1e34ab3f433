"""
Tests of what is installed: real daemons from the wheels.
"""
