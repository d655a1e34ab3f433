"""
WebSocket connections, on Autobahn.
"""
