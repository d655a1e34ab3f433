"""
An encoding of frames with the names of users beside them.
"""

from __future__ import annotations

from wsmsg.connect.names.interface import IUserNames
from wsmsg.connect.names.mentions import in_frame
from wsmsg.protocol.codec import INamingCodec
from wsmsg.protocol.frames import ClientFrame, ServerFrame


class NamedCodec:
    """
    Puts the names of the users whom a frame mentions beside it, as far as this node
    knows them.
    """

    def __init__(self, codec: INamingCodec, names: IUserNames) -> None:
        self.name: str = codec.name
        self.subprotocol: str = codec.subprotocol
        self.binary: bool = codec.binary
        self._codec = codec
        self._names = names

    def decode(self, data: bytes) -> ClientFrame:
        return self._codec.decode(data)

    def encode(self, frame: ServerFrame) -> bytes:
        names = self._names.among(in_frame(frame))
        if not names:
            return self._codec.encode(frame)
        return self._codec.encode_named(frame, names)

    def encode_client(self, frame: ClientFrame) -> bytes:
        return self._codec.encode_client(frame)

    def decode_server(self, data: bytes) -> ServerFrame:
        return self._codec.decode_server(data)
