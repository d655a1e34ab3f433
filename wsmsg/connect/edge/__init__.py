"""
Connect's listeners: the clients' port, HTTP and gRPC.
"""
