"""
C{wsmsg key}: the API keys of services.

key  wsmsg key
"""
