"""
The states of a session, from the opening of its connection to its loss::

    opening --greeted--> checking --admitted--> welcomed
       |                    |                      |
       `------------------ ended -----------------'
                            |
                         closing --lost--> closed     (lost: from any state)

An input takes some microseconds, so frames do not go through the machine; a session
has a flag that says whether it is welcomed.  A machine takes 210 bytes.
"""

from __future__ import annotations

from typing import Protocol

from automat import TypeMachineBuilder

from wsmsg.errors import Close, Fault
from wsmsg.protocol.frames import Hello, Welcome


class SessionInputs(Protocol):
    """
    Events in the life of a session.
    """

    def greeted(self, hello: Hello) -> None:
        """The client sent hello."""

    def admitted(self, welcome: Welcome) -> None:
        """The login is complete, and the contents of the welcome are known."""

    def ended(self, code: Close, reason: str, fault: Fault) -> None:
        """Connect ends the session, perhaps for a fault of the client's token."""

    def lost(self, reason: str) -> None:
        """The connection is gone."""


class SessionActions(Protocol):
    """
    Reactions of a session to these events.
    """

    def check_login(self, hello: Hello) -> None:
        """Authenticate the client and begin its login."""

    def welcome(self, welcome: Welcome) -> None:
        """Send the welcome, and serve the user from now on."""

    def unregister(self) -> None:
        """Remove the session from the registry and stop its input and output."""

    def close_connection(self, code: Close, reason: str, fault: Fault) -> None:
        """Close the connection."""

    def note_loss(self, reason: str) -> None:
        """Log and count that the connection ended without a close by Connect."""

    def release(self, reason: str) -> None:
        """Release what is left after the connection is gone."""


# mypy wants a class that can be instantiated; a protocol does as well.
_builder = TypeMachineBuilder(SessionInputs, SessionActions)  # type: ignore[type-abstract]

_opening = _builder.state("opening")
_checking = _builder.state("checking")
_welcomed = _builder.state("welcomed")
_closing = _builder.state("closing")
_closed = _builder.state("closed")


@_opening.upon(SessionInputs.greeted).to(_checking)
def _greeted(inputs: SessionInputs, session: SessionActions, hello: Hello) -> None:
    session.check_login(hello)


@_checking.upon(SessionInputs.admitted).to(_welcomed)
def _admitted(inputs: SessionInputs, session: SessionActions, welcome: Welcome) -> None:
    session.welcome(welcome)


@_opening.upon(SessionInputs.ended).to(_closing)
@_checking.upon(SessionInputs.ended).to(_closing)
@_welcomed.upon(SessionInputs.ended).to(_closing)
def _ended(
    inputs: SessionInputs,
    session: SessionActions,
    code: Close,
    reason: str,
    fault: Fault,
) -> None:
    session.unregister()
    session.close_connection(code, reason, fault)


@_opening.upon(SessionInputs.lost).to(_closed)
@_checking.upon(SessionInputs.lost).to(_closed)
@_welcomed.upon(SessionInputs.lost).to(_closed)
def _lost(inputs: SessionInputs, session: SessionActions, reason: str) -> None:
    session.unregister()
    session.note_loss(reason)
    session.release(reason)


@_closing.upon(SessionInputs.lost).to(_closed)
def _lost_after_close(
    inputs: SessionInputs, session: SessionActions, reason: str
) -> None:
    session.release(reason)


# Inputs that were under way when the session ended.
for _state in (_closing, _closed):
    _state.upon(SessionInputs.admitted).loop().returns(None)
    _state.upon(SessionInputs.ended).loop().returns(None)
_closed.upon(SessionInputs.lost).loop().returns(None)

#: Makes the state machine of one session.
new_lifecycle = _builder.build()
