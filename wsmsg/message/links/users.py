"""
The users at each Connect, as Connect reports them: routes, leases, watchers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from twisted.internet.interfaces import IReactorTime

from wsmsg.events.block import BLOCK, decode_block
from wsmsg.events.kind import InvalidContent
from wsmsg.flow.id_table import IdTable
from wsmsg.message.links.leases import Leases
from wsmsg.message.links.link import Link
from wsmsg.message.links.routes import Routes
from wsmsg.message.presence.interface import IPresence
from wsmsg.model import Message
from wsmsg.rpc import rest_pb2
from wsmsg.stream.contract import MOST_WATCHED
from wsmsg.stream.logins import LoginNumbers

_SNAPSHOT = rest_pb2.PresenceDelta.Snapshot

#: The most users that one Connect may have.
MOST_USERS = 1_000_000


class PresenceWatchers:
    """
    The users that each Connect watches, in 13 bytes a Connect and user.

    There are at most some dozen Connects, so each is asked whether it watches a user;
    and to forget one costs nothing, however many users it watches.
    """

    def __init__(self) -> None:
        self._users: dict[str, IdTable] = {}

    def of(self, user: int) -> Collection[str]:
        """
        Return the nodes that watch the user.
        """
        return [node for node, users in self._users.items() if user in users]

    def count(self, node: str) -> int:
        """
        Return the number of users that a Connect watches.
        """
        return len(self._users.get(node, ()))

    def add(self, node: str, users: Iterable[int]) -> None:
        """
        Add users that a Connect watches.
        """
        watched = self._users.setdefault(node, IdTable())
        for user in users:
            watched.add(user)

    def remove(self, node: str, users: Iterable[int]) -> None:
        """
        Remove users that a Connect watches no more.
        """
        watched = self._users.get(node)
        if watched:
            for user in users:
                watched.discard(user)

    def forget(self, node: str) -> None:
        """
        Remove all users that a Connect watches.
        """
        self._users.pop(node, None)


class LinkUsers:
    """
    The users at all Connects, and the Connects that watch users.

    @param links: the links by the node id of their Connect.
    @param unix_s: returns the unix time.
    @ivar routes: the nodes that reach each user.
    @ivar joined: how often a user came online.
    @ivar left: how often a user went offline.
    """

    def __init__(
        self,
        presence: IPresence,
        clock: IReactorTime,
        links: Mapping[str, Link],
        unix_s: Callable[[], float] = time.time,
    ) -> None:
        self.routes = Routes()
        self.joined = self.left = 0
        self._numbers = LoginNumbers()
        self._links = links
        self._unix_s = unix_s
        self._leases = Leases(presence, clock, self.routes.users)
        self._watchers = PresenceWatchers()

    @property
    def last_login(self) -> int:
        """
        The highest number of a login that this Message knows.
        """
        return self._numbers.last

    def apply_presence(self, link: Link, delta: rest_pb2.PresenceDelta) -> None:
        """
        Apply a change of the users at a Connect.  A snapshot, which may span several
        deltas, is applied when it is complete.
        """
        node = link.node
        if self._too_many(link, delta):
            link.hang_up(f"Connect claims to have over {MOST_USERS} users")
            return
        if delta.snapshot == _SNAPSHOT.NONE:
            joined, left = self.routes.change(node, delta.online, delta.offline)
            self._leases.users_changed(link, delta.online, delta.offline)
        else:
            users = self._snapshot(link, delta)
            if users is None:
                return
            joined, left = self.routes.replace(node, users)
            self._leases.users_replaced(link)
        self._users_joined(joined)
        self._users_left(left)
        self._numbers.heard(delta.last_login)
        number = self._numbers.next()
        link.logged_in(delta.last_login)
        for login in delta.logins:
            self._replace(login, login.number or number, node)
        link.presence_applied(delta.number, number)

    def set_primary(self, link: Link, primary: bool) -> None:
        """
        Note whether Connect has chosen this Message to write the presence of its users.
        """
        self._leases.set_primary(link, primary)

    def apply_watch(self, link: Link, delta: rest_pb2.WatchDelta) -> None:
        """
        Add and remove users whose presence Connect watches.  Report to Connect at once
        which of the added users are online here.
        """
        # First: those that are added may take the places of those that are removed.
        self._watchers.remove(link.node, delta.remove)
        if self._watchers.count(link.node) + len(delta.add) > MOST_WATCHED:
            link.hang_up(f"Connect watches over {MOST_WATCHED} users")
            return
        self._watchers.add(link.node, delta.add)
        for user in delta.add:
            if self.routes.of(user):
                link.presence(rest_pb2.Presence(user=user, online=True))

    def applied(self, events: Sequence[Message]) -> None:
        """
        Tell the Connects that watch users who have blocked others, or ended that: what
        they may show to whom has to be judged again.

        @param events: events that the store has applied.
        """
        for event in events:
            if event.kind != BLOCK:
                continue
            try:
                user = decode_block(event.content).user
            except InvalidContent:
                continue
            for node in self._watchers.of(event.sender) if user else ():
                self._links[node].blocked(rest_pb2.Block(by=event.sender, user=user))

    def renew_leases(self) -> None:
        """
        Renew the leases of the Connects whose primary this Message is.  Called once a
        second.
        """
        self._leases.renew(self._links.values())

    def forget_watches(self, node: str) -> None:
        """
        Forget whom a Connect watches.
        """
        self._watchers.forget(node)

    def forget_users(self, link: Link) -> None:
        """
        Forget the users at a Connect whose link is given up.
        """
        self._users_left(self.routes.forget(link.node))
        self._leases.forget(link)

    def _too_many(self, link: Link, delta: rest_pb2.PresenceDelta) -> bool:
        if delta.snapshot == _SNAPSHOT.NONE:
            known = len(self.routes.users(link.node))
        else:
            known = link.snapshot.size_before(delta.snapshot)
        return known + len(delta.online) > MOST_USERS

    def _snapshot(self, link: Link, delta: rest_pb2.PresenceDelta) -> list[int] | None:
        try:
            return link.snapshot.add(delta.snapshot, delta.online)
        except ValueError as e:
            link.hang_up(str(e))
            return None

    def _replace(self, login: rest_pb2.Login, number: int, node: str) -> None:
        for other in self.routes.of(login.user):
            link = self._links.get(other) if other != node else None
            # A Connect of an older version would take this for another kick.
            if link is not None and link.last_login:
                last = max(1, number if node > other else number - 1)
                link.kick(
                    rest_pb2.Kick(user=login.user, device=login.device, last_login=last)
                )

    def _users_joined(self, users: Sequence[int]) -> None:
        self.joined += len(users)
        for user in users:
            self._notify_watchers(rest_pb2.Presence(user=user, online=True))

    def _users_left(self, users: Sequence[int]) -> None:
        self.left += len(users)
        now_ms = int(self._unix_s() * 1000)
        for user in users:
            self._notify_watchers(rest_pb2.Presence(user=user, last_seen_ms=now_ms))

    def _notify_watchers(self, presence: rest_pb2.Presence) -> None:
        for node in self._watchers.of(presence.user):
            self._links[node].presence(presence)
