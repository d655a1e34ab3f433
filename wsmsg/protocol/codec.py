"""
What a spelling of the client protocol is.
"""

from __future__ import annotations

from zope.interface import Attribute, Interface

from wsmsg.protocol.frames import ClientFrame, ServerFrame


class ICodec(Interface):
    """
    One spelling of the client protocol.  L{wsmsg.connect.session.outbox.framed} puts
    the WebSocket header of a server before what C{encode} gives.
    """

    name = Attribute("C{protobuf} or C{json}, for logs and metrics.")
    subprotocol = Attribute("The WebSocket subprotocol that chooses it.")
    binary = Attribute("Whether its messages are binary (else text).")

    def decode(data: bytes) -> ClientFrame:
        """
        @return: the L{wsmsg.protocol.frames.ClientFrame} that the payload of a message
        holds.
        @raise wsmsg.errors.BadFrame: it holds none; the reason names the field.
        """

    def encode(frame: ServerFrame) -> bytes:
        """
        @return: the payload of a message.
        """

    def encode_client(frame: ClientFrame) -> bytes:
        """
        C{decode} backwards, for clients.
        """

    def decode_server(data: bytes) -> ServerFrame:
        """
        C{encode} backwards, for clients.
        """
