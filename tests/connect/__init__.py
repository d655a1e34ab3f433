"""
Tests of Connect.  The doubles around its sessions are in
L{tests.connect.session.doubles}.
"""
