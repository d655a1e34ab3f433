"""
Checks of an installation, C{wsmsg doctor}.
"""
