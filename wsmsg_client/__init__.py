"""
The Python client of wsmsg: instant messaging that loses nothing, for asyncio programs.

A bot that says everything back::

    import asyncio

    from wsmsg_client import Client, MessageReceived

    async def main():
        async with Client.from_env() as client:
            async for event in client.events():
                if isinstance(event, MessageReceived) and not event.mine:
                    await client.reply(event, event.content)

    asyncio.run(main())

::

    sync     the client for programs without asyncio
    testing  a fake server, for the tests of programs

`Client` keeps one connection up and hides its losses.  `send` and `reply` return when
the server has accepted the message, which it does not lose any more.  They raise a
`WsmsgError`, whose class and `reason` say why, if it refuses the message for good.
"""

from wsmsg.client import BadPositions as BadPositions
from wsmsg.client import BlockChanged as BlockChanged
from wsmsg.client import BlockState as BlockState
from wsmsg.client import Client as Client
from wsmsg.client import Closed as Closed
from wsmsg.client import Connected as Connected
from wsmsg.client import Event as Event
from wsmsg.client import Events as Events
from wsmsg.client import FoundNames as FoundNames
from wsmsg.client import GroupChanged as GroupChanged
from wsmsg.client import GroupMemberState as GroupMemberState
from wsmsg.client import GroupState as GroupState
from wsmsg.client import HistoryReplaced as HistoryReplaced
from wsmsg.client import HistoryRewound as HistoryRewound
from wsmsg.client import InvitationDeclined as InvitationDeclined
from wsmsg.client import InvitationReceived as InvitationReceived
from wsmsg.client import InvitationState as InvitationState
from wsmsg.client import MessageRecalled as MessageRecalled
from wsmsg.client import MessageReceived as MessageReceived
from wsmsg.client import PresenceChanged as PresenceChanged
from wsmsg.client import ReceiptReceived as ReceiptReceived
from wsmsg.client import Reconnect as Reconnect
from wsmsg.client import Reconnecting as Reconnecting
from wsmsg.client import SendAccepted as SendAccepted
from wsmsg.client import SendSettled as SendSettled
from wsmsg.client import Stored as Stored
from wsmsg.client import TokenSource as TokenSource
from wsmsg.client import TypingReceived as TypingReceived
from wsmsg.errors import BadRequest as BadRequest
from wsmsg.errors import Conflict as Conflict
from wsmsg.errors import Forbidden as Forbidden
from wsmsg.errors import Internal as Internal
from wsmsg.errors import Kicked as Kicked
from wsmsg.errors import LimitReached as LimitReached
from wsmsg.errors import NotFound as NotFound
from wsmsg.errors import Overloaded as Overloaded
from wsmsg.errors import RateLimited as RateLimited
from wsmsg.errors import Replaced as Replaced
from wsmsg.errors import TooLarge as TooLarge
from wsmsg.errors import Unauthenticated as Unauthenticated
from wsmsg.errors import Unavailable as Unavailable
from wsmsg.errors import Unsupported as Unsupported
from wsmsg.errors import WsmsgError as WsmsgError
