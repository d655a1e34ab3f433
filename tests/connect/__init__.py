"""
Tests of Connect; doubles of what is around its sessions in
L{tests.connect.session.doubles}.
"""
