"""
The interface of an encoding of the client protocol.
"""

from __future__ import annotations

from collections.abc import Mapping

from zope.interface import Attribute, Interface

from wsmsg.protocol.frames import ClientFrame, ServerFrame


class ICodec(Interface):
    """
    One encoding of the client protocol.  L{wsmsg.connect.session.output.framed} puts
    the WebSocket header of a server before what C{encode} gives.
    """

    name = Attribute("C{protobuf} or C{json}, for logs and metrics.")
    subprotocol = Attribute("The WebSocket subprotocol that chooses it.")
    binary = Attribute("Whether its messages are binary (else text).")

    def decode(data: bytes) -> ClientFrame:
        """
        @param data: the payload of a WebSocket message.
        @raise wsmsg.errors.BadFrame: the payload is not a valid frame; the reason names
            the field.
        """

    def encode(frame: ServerFrame) -> bytes:
        """
        @return: the payload of a WebSocket message.
        """

    def encode_client(frame: ClientFrame) -> bytes:
        """
        The reverse of C{decode}, for clients.
        """

    def decode_server(data: bytes) -> ServerFrame:
        """
        The reverse of C{encode}, for clients.
        """


class INamingCodec(ICodec):
    """
    An encoding in which a frame of the server has names of users beside it.
    """

    def encode_named(frame: ServerFrame, names: Mapping[int, str]) -> bytes:
        """
        As C{encode}.

        @param names: of users whom the frame mentions, by number.
        """

    def decode_named(data: bytes) -> tuple[ServerFrame, dict[int, str]]:
        """
        The reverse of C{encode_named}, for clients.
        """
