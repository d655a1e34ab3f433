"""
Connect's end of the streams to the Message nodes.
"""
