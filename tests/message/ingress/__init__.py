"""
Tests of L{wsmsg.message.ingress}.
"""
