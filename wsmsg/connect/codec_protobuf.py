"""
L{wsmsg.codecs.codec_protobuf}, under the name by which Connect knows it.
"""

from wsmsg.codecs.codec_protobuf import CODEC, ProtobufCodec

__all__ = ["CODEC", "ProtobufCodec"]
