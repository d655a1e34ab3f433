"""
Message's ends of the streams from the Connect nodes.
"""
