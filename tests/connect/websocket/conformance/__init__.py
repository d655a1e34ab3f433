"""
Conformance to RFC 6455: the checks of the Autobahn test suite, as tests of a real
connection with a session that echoes.

echo          the port in memory, with such sessions, and frames of a client
cases         a case: frames, the expected answers, and the ways to cut the bytes
test_data     categories 1, 5 and 10: framing, fragmentation, many fragments
test_control  categories 2, 3 and 4: pings and pongs, reserved bits and opcodes
test_text     category 6: UTF-8
test_close    category 7: closing
test_limits   category 9: large messages, in frames and fragments of many sizes
test_fuzz     random frames, compared with Autobahn
fuzzing       the generator of those frames
"""
