"""
Tests of L{wsmsg.client.state}.
"""
