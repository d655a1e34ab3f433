"""
The interface of an encoding of the client protocol.

The interfaces are protocols of C{typing}, not of zope, so that a program that installs
only the client needs no zope.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from wsmsg.protocol.frames import ClientFrame, ServerFrame


class ICodec(Protocol):
    """
    One encoding of the client protocol.  L{wsmsg.connect.session.output.framed} puts
    the WebSocket header of a server before what C{encode} gives.
    """

    @property
    def name(self) -> str:
        """
        C{protobuf} or C{json}, for logs and metrics.
        """

    @property
    def subprotocol(self) -> str:
        """
        The WebSocket subprotocol that chooses it.
        """

    @property
    def binary(self) -> bool:
        """
        L{True} if its messages are binary, L{False} if they are text.
        """

    def decode(self, data: bytes) -> ClientFrame:
        """
        @param data: the payload of a WebSocket message.
        @raise wsmsg.errors.BadFrame: the payload is not a valid frame; the reason names
            the field.
        """

    def encode(self, frame: ServerFrame) -> bytes:
        """
        @return: the payload of a WebSocket message.
        """

    def encode_client(self, frame: ClientFrame) -> bytes:
        """
        The reverse of C{decode}, for clients.
        """

    def decode_server(self, data: bytes) -> ServerFrame:
        """
        The reverse of C{encode}, for clients.
        """


class INamingCodec(ICodec, Protocol):
    """
    An encoding in which a frame of the server has names of users beside it.
    """

    def encode_named(self, frame: ServerFrame, names: Mapping[int, str]) -> bytes:
        """
        As C{encode}.

        @param names: of users whom the frame mentions, by number.
        """

    def decode_named(self, data: bytes) -> tuple[ServerFrame, dict[int, str]]:
        """
        The reverse of C{encode_named}, for clients.
        """
