"""
The spellings of the client protocol, for both of its ends.

Neither the client nor Connect may import the other, so what they share is here::

    interfaces      what each of them is
    checks          what every client frame must be, however spelled
    codec_protobuf  wsmsg.v1.protobuf: a binary message is one frame
    codec_json      wsmsg.v1.json: a text message is one object
    codec_legacy    of the deployed clients, which have no subprotocol

Each module turns L{wsmsg.protocol.frames} into bytes and back; it knows nothing else.
"""
