"""
Tests of static pages.
"""
