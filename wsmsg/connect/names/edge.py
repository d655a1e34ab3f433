"""
The sessions of a node, as the streams see them, where frames have names of users.

A push that mentions a user whose name is not known here waits for it, and so does what
comes behind it for the same recipients; all others are passed on at once.  Every
look-up has an end: if it fails, the push goes on without the name.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence

import attrs
from zope.interface import implementer

from wsmsg.connect.names.interface import IUserNames
from wsmsg.connect.names.mentions import in_conversation, in_message
from wsmsg.connect.upstream.interface import IEdge
from wsmsg.model import Cursor, Message, UserPresence
from wsmsg.monitoring.metrics import Metrics

#: The most pushes that wait, and the most recipients of them together.  Beyond either,
#: those that wait go on without the names that they lack.
MOST_PUSHES = 2000
MOST_RECIPIENTS = 100_000


@attrs.define(eq=False)
class _Waiting:
    """
    A push that waits.

    @ivar users: its recipients that have not had it yet.
    @ivar push: passes it on to some of them.
    @ivar ready: whether its own names are known, or cannot be looked up.
    """

    users: set[int]
    push: Callable[[list[int]], object]
    ready: bool = False

    def be_ready(self) -> None:
        """
        Wait for no name of its own any more.
        """
        self.ready = True

    def take(self, held: set[int]) -> set[int]:
        """
        Return the recipients that can have it now, and count them as having it.

        @param held: those for whom something before it waits.
        """
        taken = self.users - held if self.ready else set()
        self.users -= taken
        return taken


@implementer(IEdge)
class NamedEdge:
    """
    Passes on to the sessions what mentions only users with known names.

    @ivar waited_for_names: pushes that had to wait for a name.
    """

    def __init__(self, edge: IEdge, names: IUserNames) -> None:
        self.waited_for_names = 0
        self._edge = edge
        self.life = edge.life
        self._names = names
        self._waiting: deque[_Waiting] = deque()
        self._behind: Counter[int] = Counter()

    @property
    def waited(self) -> int:
        return self._edge.waited

    def push(self, message: Message, targets: Sequence[int]) -> int:
        mentioned = in_message(
            message.conversation, message.sender, message.kind, message.content
        )
        return self._pass_on(
            mentioned, targets, lambda users: self._edge.push(message, users)
        )

    def receipt(self, cursor: Cursor, targets: Sequence[int]) -> None:
        mentioned = (*in_conversation(cursor.conversation), cursor.user)
        self._pass_on(
            mentioned, targets, lambda users: self._edge.receipt(cursor, users)
        )

    def typing(self, conversation: str, user: int, targets: Sequence[int]) -> None:
        lacking = self._names.lacking((*in_conversation(conversation), user))
        if lacking:
            # Nobody waits for it: it is repeated while the user types.
            self._names.find((), lacking).addErrback(lambda _: None)
            return
        self._edge.typing(conversation, user, targets)

    def presence(self, presence: UserPresence) -> None:
        lacking = self._names.lacking((presence.user,))
        if not lacking:
            self._edge.presence(presence)
            return
        found = self._names.find((), lacking)
        found.addBoth(lambda _: self._edge.presence(presence))

    def blocked(self, by: int, user: int) -> None:
        self._edge.blocked(by, user)

    def _pass_on(
        self,
        mentioned: Iterable[int],
        targets: Sequence[int],
        push: Callable[[Sequence[int]], int | None],
    ) -> int:
        lacking = self._names.lacking(mentioned)
        if not lacking and not self._waiting:
            return push(targets) or 0
        here = [user for user in targets if self._edge.has_user(user)]
        later = here if lacking else [user for user in here if self._behind[user]]
        if not later:
            return push(targets) or 0
        waiting = _Waiting(set(later), push, ready=not lacking)
        self._waiting.append(waiting)
        self._behind.update(waiting.users)
        self.waited_for_names += 1
        if lacking:
            found = self._names.find((), lacking)
            found.addBoth(lambda _: self._named(waiting))
        now = [user for user in here if user not in waiting.users]
        if self._is_full():
            for each in self._waiting:
                each.be_ready()
            self._flush()
        return ((push(now) or 0) if now else 0) + len(later)

    def _is_full(self) -> bool:
        return (
            len(self._waiting) > MOST_PUSHES or self._behind.total() > MOST_RECIPIENTS
        )

    def _named(self, waiting: _Waiting) -> None:
        waiting.be_ready()
        self._flush()

    def _flush(self) -> None:
        """
        Pass on what waits for nothing, to each recipient in the order in which it came.
        """
        held: set[int] = set()
        left: deque[_Waiting] = deque()
        due: list[tuple[_Waiting, list[int]]] = []
        for waiting in self._waiting:
            users = waiting.take(held)
            if users:
                due.append((waiting, sorted(users)))
                self._behind.subtract(users)
            held |= waiting.users
            if waiting.users:
                left.append(waiting)
        self._waiting = left
        self._behind = +self._behind
        for waiting, some in due:
            waiting.push(some)

    def register_metrics(self, metrics: Metrics) -> None:
        """
        Have the counters read by each scrape.
        """
        metrics.counter(
            "wsmsg_connect_waited_for_names",
            "Pushes that waited for a name of a user",
            lambda: self.waited_for_names,
        )

    # ------------------------------------------------- what mentions nobody by name

    def users(self) -> Sequence[int]:
        return self._edge.users()

    def is_unsure(self) -> bool:
        return self._edge.is_unsure()

    def has_user(self, user: int) -> bool:
        return self._edge.has_user(user)

    def is_alone(self, user: int) -> bool:
        return self._edge.is_alone(user)

    def watched(self) -> Sequence[int]:
        return self._edge.watched()

    def reconnect_all(self, reason: str) -> None:
        self._edge.reconnect_all(reason)

    def kick(self, user: int, device: str, reason: str) -> None:
        self._edge.kick(user, device, reason)

    def revoke(self, revoked: Iterable[tuple[int, int]]) -> None:
        self._edge.revoke(revoked)

    def replaced(self, user: int, device: str, last_login: int) -> int:
        return self._edge.replaced(user, device, last_login)

    def resync(self, reason: str, opened_after_s: float) -> None:
        self._edge.resync(reason, opened_after_s)
