"""
Message's HTTP API.
"""
