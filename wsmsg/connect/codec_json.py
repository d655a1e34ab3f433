"""
L{wsmsg.codecs.codec_json}, under the name by which Connect knows it.
"""

from wsmsg.codecs.codec_json import CODEC, JsonCodec

__all__ = ["CODEC", "JsonCodec"]
