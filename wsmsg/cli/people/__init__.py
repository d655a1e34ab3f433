"""
Commands about whom a user wants to hear of.

blocks  C{wsmsg blocks}
"""
