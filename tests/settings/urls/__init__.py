"""
Tests of L{wsmsg.settings.urls}.
"""
