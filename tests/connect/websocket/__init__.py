"""
Tests of L{wsmsg.connect.websocket}.
"""
