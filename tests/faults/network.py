"""
A second host on this machine: a network namespace with two cables to this one, one for
daemons and one for clients.
"""

from __future__ import annotations

import ctypes
import os
import random
import shutil
import subprocess
from collections.abc import Callable

#: The flag of setns(2) for network namespaces.
_NETWORK = 0x40000000


class NoNamespaces(Exception):
    """
    This machine lets nobody make network namespaces; the text says why.
    """


class SecondHost:
    """
    The host, until it is removed.

    @ivar here: the address of this host on the cable of daemons.
    @ivar there: the address of the second host on it.
    @ivar clients: the address of the second host on the cable of clients.
    """

    def __init__(self) -> None:
        number = random.randrange(1000, 9999)
        self._name = f"wsmsg-{number}"
        self._daemons, self._clients = f"wd{number}", f"wc{number}"
        net = f"10.{random.randrange(200, 250)}.{random.randrange(250)}"
        self.here, self.there, self.clients = f"{net}.1", f"{net}.2", f"{net}.6"
        self._cables = (
            (self._daemons, self.here, self.there),
            (self._clients, f"{net}.5", self.clients),
        )

    def make(self) -> None:
        """
        Make the namespace and its cables.

        @raise NoNamespaces: that is not possible here.
        """
        if shutil.which("ip") is None:
            raise NoNamespaces("there is no program ip")
        try:
            self._ip(f"netns add {self._name}")
            for cable, here, there in self._cables:
                other = f"{cable}x"
                self._ip(f"link add {cable} type veth peer {other} netns {self._name}")
                self._ip(f"addr add {here}/30 dev {cable}")
                self._ip(f"link set {cable} up")
                self._ip(f"-n {self._name} addr add {there}/30 dev {other}")
                self._ip(f"-n {self._name} link set {other} up")
            self._ip(f"-n {self._name} link set lo up")
        except subprocess.CalledProcessError as e:
            self.remove()
            raise NoNamespaces(e.stderr.decode().strip()) from None

    def remove(self) -> None:
        """
        Remove everything that was made.
        """
        for arguments in (f"link del {self._daemons}", f"link del {self._clients}"):
            subprocess.run(["ip", *arguments.split()], capture_output=True, check=False)
        delete = ["ip", "netns", "del", self._name]
        subprocess.run(delete, capture_output=True, check=False)

    def pull_cable(self) -> None:
        """
        Cut the cable of daemons: packets are lost, and nobody is told.
        """
        self._ip(f"link set {self._daemons} down")

    def plug_cable(self) -> None:
        self._ip(f"link set {self._daemons} up")

    def before_exec(self) -> Callable[[], object]:
        """
        Return a function that moves the process to the second host.
        """
        libc = ctypes.CDLL(None, use_errno=True)
        path = f"/run/netns/{self._name}"

        def move() -> None:
            handle = os.open(path, os.O_RDONLY)
            if libc.setns(handle, _NETWORK) != 0:
                raise OSError(ctypes.get_errno(), f"setns: {path}")
            os.close(handle)

        return move

    def _ip(self, arguments: str) -> None:
        subprocess.run(["ip", *arguments.split()], capture_output=True, check=True)
