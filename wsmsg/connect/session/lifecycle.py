"""
The life of a session, from the connection's opening to its loss::

    opening --greeted--> checking --admitted--> known
       |                    |                     |
       `------------------ ended ----------------'
                            |
                         closing --lost--> closed     (lost: from anywhere)

An input costs some microseconds, so frames are none: they go past the machine, and
a session knows by a flag whether it is known.  One machine takes 210 bytes.
"""

from __future__ import annotations

from typing import Protocol

from automat import TypeMachineBuilder

from wsmsg.errors import Close
from wsmsg.protocol.frames import Hello, Welcome


class SessionInputs(Protocol):
    """
    What happens to a session.
    """

    def greeted(self, hello: Hello) -> None:
        """The client said who it is."""

    def admitted(self, welcome: Welcome) -> None:
        """It is who it said, and what it must be told first is there."""

    def ended(self, code: Close, reason: str) -> None:
        """We close it."""

    def lost(self, reason: str) -> None:
        """The connection is gone."""


class SessionActions(Protocol):
    """
    What a session does when something happens to it.
    """

    def check(self, hello: Hello) -> None:
        """Find out whether the client is who it says."""

    def welcome(self, welcome: Welcome) -> None:
        """Say welcome, and be a session of that user from now on."""

    def leave(self) -> None:
        """Take it out of everything."""

    def hang_up(self, code: Close, reason: str) -> None:
        """Close the connection."""

    def vanished(self, reason: str) -> None:
        """Tell that the connection ended, and not because we closed it."""

    def gone(self, reason: str) -> None:
        """Nothing of it is left."""


# mypy wants a class that can be made; a protocol does as well.
_builder = TypeMachineBuilder(SessionInputs, SessionActions)  # type: ignore[type-abstract]

_opening = _builder.state("opening")
_checking = _builder.state("checking")
_known = _builder.state("known")
_closing = _builder.state("closing")
_closed = _builder.state("closed")


@_opening.upon(SessionInputs.greeted).to(_checking)
def _greeted(life: SessionInputs, session: SessionActions, hello: Hello) -> None:
    session.check(hello)


@_checking.upon(SessionInputs.admitted).to(_known)
def _admitted(life: SessionInputs, session: SessionActions, welcome: Welcome) -> None:
    session.welcome(welcome)


@_opening.upon(SessionInputs.ended).to(_closing)
@_checking.upon(SessionInputs.ended).to(_closing)
@_known.upon(SessionInputs.ended).to(_closing)
def _ended(
    life: SessionInputs, session: SessionActions, code: Close, reason: str
) -> None:
    session.leave()
    session.hang_up(code, reason)


@_opening.upon(SessionInputs.lost).to(_closed)
@_checking.upon(SessionInputs.lost).to(_closed)
@_known.upon(SessionInputs.lost).to(_closed)
def _lost(life: SessionInputs, session: SessionActions, reason: str) -> None:
    session.leave()
    session.vanished(reason)
    session.gone(reason)


@_closing.upon(SessionInputs.lost).to(_closed)
def _lost_after_close(
    life: SessionInputs, session: SessionActions, reason: str
) -> None:
    session.gone(reason)


# What was on its way when the end came.
for _state in (_closing, _closed):
    _state.upon(SessionInputs.admitted).loop().returns(None)
    _state.upon(SessionInputs.ended).loop().returns(None)
_closed.upon(SessionInputs.lost).loop().returns(None)

#: Makes the life of one session.
begin = _builder.build()
