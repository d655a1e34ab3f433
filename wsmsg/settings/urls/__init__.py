"""
Readers of the URLs in settings.
"""
