"""
Tests of L{wsmsg.connect.session.moves}.
"""
