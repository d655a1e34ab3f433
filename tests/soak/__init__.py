"""
Load for a long time on real daemons, whose memory must not grow.
"""
