"""
Channels to the gRPC listeners of an installation, by its secret.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from wsmsg.peers.channel import PeerChannel, ProvenDialling
from wsmsg.peers.identity import FILE_NAME, PeerIdentity
from wsmsg.rpc import rest_pb2
from wsmsg.settings.upstream import PeerSettings

_OPEN_S = 45.0
_ONLINE_STATUS = "/rest.ConnectService/OnlineStatus"


def identity(folder: Path) -> PeerIdentity:
    """
    Return the identity of the daemons of an installation.
    """
    return PeerIdentity(PeerSettings(), folder / "data")


@asynccontextmanager
async def proven_channel(
    port: int, folder: Path, options: Sequence[tuple[str, int]] = ()
) -> AsyncIterator[PeerChannel]:
    """
    Open a channel until the block ends.

    @param folder: of the installation, whose secret proves this end.
    """
    dialling = ProvenDialling(identity(folder))
    channel = await dialling.open(f"127.0.0.1:{port}", options, _OPEN_S)
    try:
        yield channel
    finally:
        await channel.close()


async def online_status(port: int, folder: Path, user: int) -> bool:
    """
    Return whether a user is online, as a Connect says by gRPC.
    """
    request = rest_pb2.OnlineStatusRequest(user_ids=[user]).SerializeToString()
    response = rest_pb2.OnlineStatusResponse.FromString
    async with proven_channel(port, folder) as channel:
        answer = await channel.ask(_ONLINE_STATUS, request, response, _OPEN_S)
    return bool(answer.status[user])


def share_secret(here: Path, there: Path) -> None:
    """
    Give one installation the secret of another one.
    """
    (there / "data").mkdir(mode=0o700, exist_ok=True)
    (there / "data" / FILE_NAME).write_bytes((here / "data" / FILE_NAME).read_bytes())
    (there / "data" / FILE_NAME).chmod(0o600)
