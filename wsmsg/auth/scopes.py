"""
Scopes: what the bearer of an API key may do.

Each call of an HTTP API needs one scope (L{wsmsg.http.routes.Route}), and a key has
some of them.  A scope either reads or changes, so an audit knows from the scope of a
call whether to record it.
"""

from __future__ import annotations

from enum import Enum


class Scope(Enum):
    """
    A kind of calls.
    """

    SEND = "send"
    READ = "read"
    MARK = "mark"
    GROUPS = "groups"
    KICK = "kick"
    PRESENCE = "presence"
    OBSERVE = "observe"
    OPERATE = "operate"

    @property
    def changes(self) -> bool:
        """
        True for calls that change something.
        """
        return self in _CHANGING

    @property
    def text(self) -> str:
        """
        The calls, for a person.
        """
        return _TEXTS[self]


#: The scopes that an API key may have.  Operators have the others.
GRANTED = (
    *(Scope.SEND, Scope.READ, Scope.MARK),
    *(Scope.GROUPS, Scope.KICK, Scope.PRESENCE),
)

_CHANGING = frozenset({Scope.SEND, Scope.MARK, Scope.GROUPS, Scope.KICK, Scope.OPERATE})

_TEXTS = {
    Scope.SEND: "send messages, and block others, as any user",
    Scope.READ: "read messages, conversations, counts and groups of any user",
    Scope.MARK: "set what any user has read",
    Scope.GROUPS: "create groups; add, invite and remove members",
    Scope.KICK: "end sessions, and revoke tokens",
    Scope.PRESENCE: "see who is online",
    Scope.OBSERVE: "see the status of a daemon, and dead letters",
    Scope.OPERATE: "change what a daemon does, and replay dead letters",
}
