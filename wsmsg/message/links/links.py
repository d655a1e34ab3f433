"""
All links of this Message: the users at each Connect, and the pushes to them.

A link outlives its stream for a grace time.  If the same incarnation of Connect returns
within that time, it resumes with its unacknowledged pushes and the routes of its users.
Afterwards Message gives up the link, and the users count as offline.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from wsmsg.flow.countdown import Countdown
from wsmsg.flow.life_ring import LifeRing
from wsmsg.message.links.interface import PushListener, PushTimings, Settled
from wsmsg.message.links.link import Link
from wsmsg.message.links.lives.lives import ConnectLives
from wsmsg.message.links.reach import ReachOfConnects
from wsmsg.message.links.recipients import (
    GroupRecipients,
    ToldCursors,
    pushes_by_node,
    pushes_of,
)
from wsmsg.message.links.slow import SlowConnects
from wsmsg.message.links.users import LinkUsers
from wsmsg.message.presence.interface import IPresence
from wsmsg.model import Cursor, InvalidName, Message, is_group, members_of
from wsmsg.rpc import rest_pb2
from wsmsg.settings.values import MessageSettings


class Links:
    """
    The links, by the node id of their Connect.  See also
    L{wsmsg.message.links.interface.ILinks}.

    @param grace_s: for how many seconds a link outlives its stream.
    @param limit_records: the most unacknowledged pushes of a link.
    @param limit_bytes: the most bytes of these.
    @param ack_s: for how long a push may stay unacknowledged on an open stream.
    @param unix_s: returns the unix time.
    @param life: what this Message remembers of messages.
    @ivar lives: that, and what the Connects remember.
    @ivar users: the users at all Connects.
    @ivar reach: the Connects and Messages without a stream between them.
    @ivar routes: the nodes that reach each user.
    @ivar told: the cursors that the members were told.
    @ivar push_listeners: called with every push; one that fails is logged, and what it
        was given counts as settled.
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
        ack_s: float = 10.0,
        unix_s: Callable[[], float] = time.time,
        told: ToldCursors | None = None,
        life: LifeRing | None = None,
    ) -> None:
        self.pushed = self.cut = 0
        self.timings = PushTimings()
        self.push_listeners: list[PushListener] = []
        self._clock = clock
        self.grace_s = grace_s
        self.limit_records = limit_records
        self.limit_bytes = limit_bytes
        self._links: dict[str, Link] = {}
        self.lives = ConnectLives(self._links, clock, life)
        self._slow = SlowConnects(clock.seconds, ack_s)
        self._expiring: dict[str, IDelayedCall] = {}
        self.users = LinkUsers(presence, clock, self._links, unix_s)
        self.routes = self.users.routes
        self.told = told or ToldCursors()
        self.reach = ReachOfConnects(clock.seconds, unix_s)

    def apply_settings(self, settings: MessageSettings) -> None:
        """
        Apply the times, and the limits of links that are made from now on.
        """
        self.grace_s = settings.link_grace_s
        self.limit_records = settings.link_records
        self.limit_bytes = settings.link_bytes
        self._slow.apply_settings(settings.link_ack_s)

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
                seconds=self._clock.seconds,
                on_cut=self._was_cut,
                timings=self.timings,
            )
            self._links[node] = link
        else:
            link.resume(hello.resume_from)
            self.users.forget_watches(node)  # Connect names them again on each stream
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
        self.reach.forget(link.node)
        self._log.info(
            "link of {node} lost, kept for {seconds} s: {reason}",
            node=link.node,
            seconds=self.grace_s,
            reason=reason,
        )
        self._expiring[link.node] = self._clock.callLater(
            self.grace_s, self._expire, link
        )

    def set_list(self, address: str, others: Iterable[str]) -> None:
        """
        Pass the list of Messages to all Connects, if it changed.

        @param address: of this Message in the list.
        """
        if self.reach.set_list(address, others):
            for link in self._links.values():
                link.listed(self.reach.listed)

    def tell_partial(self) -> None:
        """
        Tell each Connect that does not reach all Messages how many Connects do.  Called
        once a second.
        """
        connects = [it for it in self._links.values() if it.open and not it.everything]
        partial = [it for it in connects if not self.reach.is_whole(it.node)]
        for link in partial:
            link.whole(len(connects) - len(partial))

    def came_through(self, latest_ms: Mapping[str, int]) -> None:
        """
        Note the Connects that records came through; see
        L{wsmsg.message.links.interface.ILinks.came_through}.
        """
        if self.reach.suspects or not latest_ms.keys() <= self._links.keys():
            self.reach.used(latest_ms, self._links)

    def unlinked(self) -> str:
        """
        Return the Connects that have no stream to this Message, in a sentence; empty if
        this Message knows of none.
        """
        return self.reach.unlinked(self._links)

    def connects(self) -> Sequence[rest_pb2.ConnectLoad]:
        """
        Return how much each Connect with a stream carries.
        """
        return [it.load for it in self._links.values() if it.open and it.load]

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
        now_s, users = self._clock.seconds(), self.routes.users
        links = self._links.values()
        return [
            {**link.status(now_s), "users": len(users(link.node))} for link in links
        ]

    def _expire(self, link: Link) -> None:
        del self._expiring[link.node]
        self._log.warn(
            "link of {node} given up, with it users: {users}, pushes: {pushes}",
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
        self.users.forget_users(link)

    def _discard(self, link: Link) -> None:
        del self._links[link.node]
        self.users.forget_watches(link.node)
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

    def revoke(self, revoked: Mapping[int, int]) -> int:
        """
        Tell all Connects the times before which tokens of users are revoked.
        """
        for link in self._links.values():
            link.revoke(revoked)
        return sum(link.open for link in self._links.values())

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
        links = self._links
        self.told.pushed(messages)
        per_node = pushes_by_node(messages, in_groups, self.routes, links)
        relays = [node for node, link in links.items() if link.everything]
        if relays and (visible := pushes_of(messages, in_groups)):
            per_node.update(dict.fromkeys(relays, visible))
        self.pushed += len(messages)
        to_links = [(links[n], pushes) for n, pushes in per_node.items() if n in links]
        self.lives.ring.pushed(messages, to_links)
        receivers = len(self.push_listeners) + len(to_links)
        if not receivers:
            settled()
            return
        countdown = settled if receivers == 1 else Countdown(receivers, settled)
        for listener in self.push_listeners:
            # Only the first call counts: a listener may fail after it has settled.
            once = Countdown(1, countdown)
            with self._log.failuresHandled("a listener of pushes fails") as handled:
                listener(messages, in_groups, once)
            if handled.failed:
                once()
        for link, pushes in to_links:
            link.push(pushes, countdown)

    def receipt(self, cursor: Cursor, alone_at: str | None = None) -> None:
        """
        Send a user's cursor to both users of a conversation of two; in a group, only to
        the user's own devices.

        @param alone_at: the Connect where the user has one session, which said it, and
            is not sent it; empty: none; L{None}: no Connect said it.
        """
        self.told.told(cursor)
        if alone_at is None:
            self.lives.ring.confirmed((cursor,))
        name = cursor.conversation
        members = (cursor.user,) if is_group(name) else members_of(name)
        for node, users in self.routes.by_node(members, self._links):
            if node == alone_at:
                users = [user for user in users if user != cursor.user]
            if users:
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

    # -- slow Connects

    def check_slow(self) -> None:
        """
        Cut the links of the Connects that do not acknowledge.  Called once a second.
        """
        self._slow.check(list(self._links.values()))

    def release(self, age_s: float) -> None:
        """
        Settle the pushes of this age; see
        L{wsmsg.message.links.interface.ILinks.release}.
        """
        self._slow.release(list(self._links.values()), age_s)

    def slow(self) -> str:
        """
        Return the Connects that do not keep up, in a sentence; empty if all do.
        """
        return self._slow.reason(self._links.values())

    def oldest_push_s(self) -> float:
        """
        Return the age of the oldest push that is not acknowledged.
        """
        now_s = self._clock.seconds()
        return max((link.age_s(now_s) for link in self._links.values()), default=0.0)

    def _was_cut(self, link: Link) -> None:
        self.cut += 1
        self._slow.was_cut(link.node)
        form = "link of {node} cut, its sessions will sync: {reason}"
        self._log.warn(form, node=link.node, reason=link.broken)
