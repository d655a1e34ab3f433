"""
The numbers of logins, by which all nodes agree on the newest login of a device.

Each node counts logically, as Lamport does: above everything that it has heard.  No
clock takes part.  A login that begins when another one is complete gets the higher
number, as every Message was told of the other one before; logins at the same moment get
some order, the same for everybody::

    Connect A     online 7 ->        -> online 7     Connect B
                  <- applied, 40     applied, 41 ->
    7 is login 41 login 41 ->        -> login 42     7 is login 42
                  <- up to 42 is older
    closes 41                                        keeps 42: 41 is not newer
"""

from __future__ import annotations

#: Counting ends here, far from the end of the field; whoever claims more is not heard.
MOST_LOGINS = 2**62


class LoginNumbers:
    """
    The numbers of logins that a node knows and gives.

    @ivar last: the highest one.
    """

    __slots__ = ("last",)

    def __init__(self) -> None:
        self.last = 1

    def heard(self, number: int) -> None:
        """
        Give only higher numbers than this one from now on.
        """
        if self.last < number <= MOST_LOGINS:
            self.last = number

    def next(self) -> int:
        """
        Return a number above all that this node has heard or given.
        """
        self.last += 1
        return self.last
