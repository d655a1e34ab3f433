"""
A machine of its own, as far as a test needs one: a home, and the ports of loopback.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.integration.documents.pages import ROOT

_READY_S = 90.0
_COMMAND_S = 120.0

# Loopback is down in a new namespace: SIOCSIFFLAGS with IFF_UP | IFF_RUNNING.
_HOLD = """
import fcntl, socket, struct, sys
with socket.socket() as s:
    fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 0x41))
print("up", flush=True)
sys.stdin.read()
"""

#: The ports that the daemons have by default, by the name of the daemon; the last one
#: is of the admin listener.
PORTS = {"connect": (21005, 22005, 23005), "message": (21004, 22004, 23004)}

#: Runs a command that SIGINT ends, as in a terminal.
_HEEDING = "env --default-signal=INT"


class Machine:
    """
    A folder and a loopback interface of its own, where commands are typed.

    Without the right to make a namespace, the loopback is that of this machine.

    @ivar folder: the home, in which the commands are typed.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="wsmsg-typed-"))
        environment = Path(sys.executable).parent.parent
        (self.folder / ".venv").symlink_to(environment)
        self._daemons: list[tuple[str, subprocess.Popen[bytes]]] = []
        self._holder = _namespace()
        self._enter: list[str] = []
        if self._holder is not None:
            target = ["nsenter", "--target", str(self._holder.pid)]
            self._enter = [*target, "--user", "--net", "--preserve-credentials"]
        self._environment = {
            "HOME": str(self.folder),
            "PATH": f"{environment / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "LANG": "C.UTF-8",
            "GRPC_VERBOSITY": "ERROR",
        }

    @property
    def usable(self) -> bool:
        """
        Return L{True} if the default ports are free.
        """
        ports = [port for ports in PORTS.values() for port in ports]
        return self._holder is not None or not any(map(_answers, ports))

    def type(self, command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """
        Type a command, and wait for its end.  Standard input is empty.

        @param variables: of the environment.
        """
        return subprocess.run(
            [*self._enter, "bash", "-c", command],
            cwd=self.folder,
            env={**self._environment, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_S,
            check=False,
        )

    def start(self, command: str) -> None:
        """
        Type a command that runs a daemon in the foreground, and heeds Ctrl-C also
        where the tests run in the background of a shell, which has it ignored.
        """
        log = self.folder / f"typed-{len(self._daemons)}.log"
        with log.open("wb") as out:
            started = subprocess.Popen(
                [*self._enter, "bash", "-c", f"exec {_HEEDING} {command}"],
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        self._daemons.append((command, started))

    def ready(self, *daemons: str) -> None:
        """
        Wait until these daemons are ready.
        """
        for name in daemons:
            url = f"http://127.0.0.1:{PORTS[name][-1]}/readyz"
            wait = f"until curl -sf {url}; do sleep 0.05; done"
            asked = self.type(f"timeout {_READY_S:.0f} bash -c '{wait}'")
            if asked.returncode:
                raise AssertionError(f"{name} is not ready:\n{self.logs()}")

    def logs(self) -> str:
        """
        Return the logs of the daemons in the foreground.
        """
        logs = sorted(self.folder.glob("typed-*.log"))
        return "\n".join(log.read_text("utf-8", "replace")[-2000:] for log in logs)

    def stop(self, command: str) -> int:
        """
        Stop a program that L{start} has started, as Ctrl-C does.

        @return: its exit status.
        """
        (found,) = [each for each in self._daemons if each[0] == command]
        self._daemons.remove(found)
        found[1].send_signal(signal.SIGINT)
        return found[1].wait(_READY_S)

    def stop_daemons(self) -> list[int]:
        """
        Stop the daemons in the foreground, as Ctrl-C does.

        @return: their exit statuses.
        """
        daemons, self._daemons = self._daemons, []
        for _, started in reversed(daemons):
            started.send_signal(signal.SIGINT)
        return [started.wait(_READY_S) for _, started in daemons]

    def close(self) -> None:
        """
        Stop everything, and remove the folder.
        """
        for _, started in self._daemons:
            started.kill()
            started.wait()
        if self._holder is not None:
            self._holder.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)


def forged_handshake(url: str) -> str:
    """
    Return a command that asks for a WebSocket with a token that is none, and prints the
    status of the answer.  The client has the address 127.0.0.2, and a proxy on this
    machine another one.

    @param url: of the proxy, whose certificate is C{chat.pem}.
    """
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
        "Sec-WebSocket-Protocol": "wsmsg.v1.json",
        "Authorization": "Bearer nonsense",
    }
    given = " ".join(f"-H '{name}: {value}'" for name, value in headers.items())
    curl = "curl -s -o /dev/null -w '%{http_code}' --interface 127.0.0.2 --http1.1"
    return f"{curl} --cacert chat.pem {given} {url}/api/v1/connect/ws"


def _namespace() -> subprocess.Popen[bytes] | None:
    command = ["unshare", "--map-root-user", "--net", sys.executable, "-c", _HOLD]
    pipe = subprocess.PIPE
    try:
        made = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL
        )
    except FileNotFoundError:
        return None
    assert made.stdout is not None
    if made.stdout.readline() == b"up\n":
        return made
    made.communicate()
    return None


def _answers(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0
