"""
WebSocket connections, on Autobahn.

connection   one WebSocket: frames, pings, close
factory      the parts that all WebSockets share
handshake    the check of a handshake, and the answer to a bad one
origins      the web pages that may open a WebSocket
autobahn     Autobahn's options and initial values, as attributes of a class
fast_frames  a parser for the usual frames
turn_writes  writes that leave together at the end of a reactor turn
tcp_info     progress of the written data, as the kernel knows it
"""
