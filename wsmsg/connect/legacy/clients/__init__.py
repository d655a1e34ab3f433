"""
Sessions of legacy clients.
"""
