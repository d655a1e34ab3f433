"""
All links of this Message: the users at each Connect, and the pushes to them.

A link outlives its stream for a grace time.  If the same incarnation of Connect returns
within that time, it resumes with its unacknowledged pushes and the routes of its users.
Afterwards Message gives up the link, and the users count as offline.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from wsmsg.flow.countdown import Countdown
from wsmsg.message.links.interface import PushListener, Settled
from wsmsg.message.links.leases import Leases
from wsmsg.message.links.link import Link
from wsmsg.message.links.recipients import GroupRecipients, Push, pushes_of
from wsmsg.message.links.routes import Routes
from wsmsg.message.links.watchers import PresenceWatchers
from wsmsg.message.presence.interface import IPresence
from wsmsg.model import Cursor, InvalidName, Message, is_group, members_of
from wsmsg.rpc import rest_pb2
from wsmsg.settings.values import MessageSettings

_SNAPSHOT = rest_pb2.PresenceDelta.Snapshot

#: The most users that one Connect may have, and the most that it may watch.
MOST_USERS = 1_000_000


class Links:
    """
    The links, by the node id of their Connect.  See also
    L{wsmsg.message.links.interface.ILinks}.

    @param grace_s: for how many seconds a link outlives its stream.
    @param limit_records: the most unacknowledged pushes of a link.
    @param limit_bytes: the most bytes of these.
    @param unix_s: returns the unix time.
    @ivar push_listeners: called with every push.
    @ivar pushed: the number of messages pushed so far.
    @ivar cut: the number of links that broke because Connect was too slow.
    """

    _log = Logger()

    def __init__(
        self,
        presence: IPresence,
        clock: IReactorTime,
        *,
        grace_s: float,
        limit_records: int,
        limit_bytes: int,
        unix_s: Callable[[], float] = time.time,
    ) -> None:
        self.routes = Routes()
        self.pushed = self.cut = 0
        self.push_listeners: list[PushListener] = []
        self._leases = Leases(presence, clock, self.routes.users)
        self._clock = clock
        self._unix_s = unix_s
        self.grace_s = grace_s
        self.limit_records = limit_records
        self.limit_bytes = limit_bytes
        self._links: dict[str, Link] = {}
        self._expiring: dict[str, IDelayedCall] = {}
        self._watchers = PresenceWatchers()

    def apply_settings(self, settings: MessageSettings) -> None:
        """
        Apply the grace time, and the limits of links that are made from now on.
        """
        self.grace_s = settings.link_grace_s
        self.limit_records = settings.link_records
        self.limit_bytes = settings.link_bytes

    # -- streams come and go

    def is_second(self, hello: rest_pb2.SubscribeRequest) -> bool:
        """
        Return whether C{hello} asks for a second stream of a Connect, which knows this
        Message by two addresses, while the first one is open at both ends.
        """
        link = self._links.get(hello.connect_service_id)
        if link is None or not link.open or link.incarnation != hello.incarnation:
            return False
        # An attempt that began before the open stream cannot name it.
        older = hello.stream < link.peer_stream
        return older or link.peer_stream in hello.other_streams

    def subscribe(
        self, hello: rest_pb2.SubscribeRequest, own_incarnation: str
    ) -> tuple[Link, bool]:
        """
        Begin a stream of a Connect, and end the one that it had before.

        @return: the link, and whether the stream resumes where C{hello} says.
        """
        node = hello.connect_service_id
        link = self._links.get(node)
        resumed = (
            link is not None
            and link.incarnation == hello.incarnation
            and own_incarnation == hello.resume_incarnation
            and link.resumable(hello.resume_from)
        )
        if link is not None:
            self._cancel_expiry(node)
            link.hang_up("another stream of the same node began")
            link.lost()
            if not resumed and link.incarnation == hello.incarnation:
                self._discard(link)
            elif not resumed:
                self._forget(link)
        if link is None or not resumed:
            link = Link(
                node,
                hello.incarnation,
                limit_records=self.limit_records,
                limit_bytes=self.limit_bytes,
            )
            self._links[node] = link
        else:
            link.resume(hello.resume_from)
            self._watchers.forget(node)  # Connect names them again on each stream
        link.subscribed(hello)
        return link, resumed

    def lost(self, link: Link, stream: int, reason: str) -> None:
        """
        Keep a link that has lost its stream for the grace time.

        @param stream: the number of the stream that ended (L{Link.opened}).  If the
            link has another one by now, nothing happens.
        """
        if self._links.get(link.node) is not link or link.stream != stream:
            return
        link.lost()
        self._log.info(
            "link of {node} lost, kept for {seconds} s: {reason}",
            node=link.node,
            seconds=self.grace_s,
            reason=reason,
        )
        self._expiring[link.node] = self._clock.callLater(
            self.grace_s, self._expire, link
        )

    def hang_up_all(self, reason: str) -> None:
        """
        End the streams of all links.
        """
        for link in list(self._links.values()):
            link.hang_up(reason)

    def break_off_all(self, reason: str) -> None:
        """
        Drop what all links hold and end their streams, so that all sessions sync.
        """
        for link in list(self._links.values()):
            if not link.broken:
                link.break_off(reason)

    def give_up_all(self) -> None:
        """
        Give up all links.  The presence of their users is left to expire with the
        leases, as the Connects may still run.
        """
        for link in list(self._links.values()):
            self._cancel_expiry(link.node)
            self._discard(link)
            self.routes.forget(link.node)

    def status(self) -> list[dict[str, object]]:
        """
        Return the part C{links} of C{/status}.
        """
        return [
            {
                "node": link.node,
                "open": link.open,
                "primary": link.primary,
                "everything": link.everything,
                "users": len(self.routes.users(link.node)),
                "unacknowledged": link.held,
            }
            for link in self._links.values()
        ]

    def _expire(self, link: Link) -> None:
        del self._expiring[link.node]
        self._log.warn(
            "link of {node} given up, {users} users and {pushes} pushes with it",
            node=link.node,
            users=len(self.routes.users(link.node)),
            pushes=link.held,
        )
        self._forget(link)

    def _cancel_expiry(self, node: str) -> None:
        expiry = self._expiring.pop(node, None)
        if expiry is not None:
            expiry.cancel()

    def _forget(self, link: Link) -> None:
        self._discard(link)
        self._users_left(self.routes.forget(link.node))
        self._leases.forget(link)

    def _discard(self, link: Link) -> None:
        del self._links[link.node]
        self._watchers.forget(link.node)
        if not link.broken:
            link.break_off("given up")

    def kick(self, user: int, device: str, reason: str) -> int:
        """
        End sessions of a user on all Connects.
        """
        kick = rest_pb2.Kick(user=user, device=device, reason=reason)
        for link in self._links.values():
            link.kick(kick)
        return sum(link.open for link in self._links.values())

    # -- routes and presence

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
        link.presence_applied(delta.number)

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
        if self._watchers.count(link.node) + len(delta.add) > MOST_USERS:
            link.hang_up(f"Connect watches over {MOST_USERS} users")
            return
        for user in delta.add:
            self._watchers.add(link.node, user)
            if self.routes.of(user):
                link.presence(rest_pb2.Presence(user=user, online=True))
        self._watchers.remove(link.node, delta.remove)

    def renew_leases(self) -> None:
        """
        Renew the leases of the Connects whose primary this Message is.  Called once a
        second.
        """
        self._leases.renew(self._links.values())

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

    def _users_joined(self, users: Iterable[int]) -> None:
        for user in users:
            self._notify_watchers(rest_pb2.Presence(user=user, online=True))

    def _users_left(self, users: Iterable[int]) -> None:
        now_ms = int(self._unix_s() * 1000)
        for user in users:
            self._notify_watchers(rest_pb2.Presence(user=user, last_seen_ms=now_ms))

    def _notify_watchers(self, presence: rest_pb2.Presence) -> None:
        for node in self._watchers.of(presence.user):
            self._links[node].presence(presence)

    # -- pushes

    def push(
        self,
        messages: Sequence[Message],
        settled: Settled,
        in_groups: GroupRecipients | None = None,
    ) -> None:
        """
        Push messages to the connected members of their conversations.
        """
        of = self.routes.of
        per_node: dict[str, list[Push]] = {}
        connected: dict[int, dict[str, list[int]]] = {}
        for message in messages:
            targets: dict[str, list[int]] = {}
            if in_groups and is_group(message.conversation):
                members = in_groups[message.conversation, message.seq]
                # Messages between two changes of a group share one set of members.
                if id(members) not in connected:
                    connected[id(members)] = self.routes.among(members, self._links)
                targets = connected[id(members)]
            else:
                for user in members_of(message.conversation):
                    for node in of(user):
                        targets.setdefault(node, []).append(user)
            for node, users in targets.items():
                per_node.setdefault(node, []).append((message, users))
        visible: list[Push] | None = None
        for node in [n for n, link in self._links.items() if link.everything]:
            if visible is None:
                visible = pushes_of(messages, in_groups)
            if visible:
                per_node[node] = visible
        self.pushed += len(messages)
        countdown = Countdown(len(per_node) + len(self.push_listeners) + 1, settled)
        for listener in self.push_listeners:
            listener(messages, in_groups, countdown)
        for node, pushes in per_node.items():
            link = self._links.get(node)
            if link is None:
                countdown()
                continue
            link.push(pushes, countdown)
            if link.broken:
                self._log_cut(link)
        countdown()

    def receipt(self, cursor: Cursor) -> None:
        """
        Send a user's cursor to both users of a conversation of two; in a group, only to
        the user's own devices.
        """
        conversation = cursor.conversation
        group = is_group(conversation)
        members = (cursor.user,) if group else members_of(conversation)
        for node, users in self.routes.by_node(members, self._links):
            self._links[node].receipt(cursor, users)

    def typing(self, typing: rest_pb2.Typing) -> None:
        """
        Send typing to the other user of a conversation of two.
        """
        try:
            members = members_of(typing.conversation)
        except InvalidName:
            return  # there is no such conversation
        others = [u for u in members if u != typing.user]
        for node, users in self.routes.by_node(others, self._links):
            self._links[node].typing(typing, users)

    def typing_in_group(self, typing: rest_pb2.Typing, members: frozenset[int]) -> None:
        """
        Send typing to the other members of a group.
        """
        others = members.difference((typing.user,))
        for node, users in self.routes.among(others, self._links).items():
            self._links[node].typing(typing, users)

    def _log_cut(self, link: Link) -> None:
        self.cut += 1
        self._log.warn(
            "link of {node} cut, its sessions will sync: {reason}",
            node=link.node,
            reason=link.broken,
        )
