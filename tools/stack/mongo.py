"""
A server with MongoDB's protocol: SecantusDB.  Package registries carry it, and do not
carry MongoDB.  It is for tests only: the store is made for MongoDB.

SecantusDB is available as a crate, which takes minutes to compile, and as a wheel,
which takes seconds to install and is ten times slower in use: tests of the store that
take 23 s with the crate are not finished after 240 s with the wheel.  So C{install}
compiles the crate once where there are compilers, and installs the wheel elsewhere.
C{$WSMSG_STACK_MONGO_KIND} chooses C{crate} or C{wheel}.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tools.stack.certificates import certificate_in
from tools.stack.packages import Say, StackError, missing, need, run
from tools.stack.server import GUEST, PASSWORD, USER, Server

if TYPE_CHECKING:
    from pymongo import MongoClient

CRATE = "0.5.3-beta.196"
WHEEL = "0.7.0b3"

#: The crate's own profile makes the fastest server; this one compiles faster.
_QUICKER = {
    "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
    "CARGO_PROFILE_RELEASE_DEBUG": "0",
    "CARGO_PROFILE_RELEASE_LTO": "off",
    "CARGO_PROFILE_RELEASE_OPT_LEVEL": "2",
}

_COMPILERS = ("cargo", "cmake", "cc")
#: Two cores that do something else as well need half an hour.
_COMPILE_S = 3600

Kind = Literal["crate", "wheel"]


class Mongo(Server):
    """
    One server.  Its options are those of its command line.

    @ivar with_users: clients must log in as L{USER}, or L{GUEST}, who may do nothing.
    @ivar with_tls: the server accepts connections with TLS only.
    """

    name = "mongo"
    PORTS: ClassVar[dict[str, int]] = {"mongo": 19017}
    FIRST = "mongo"
    with_users = False
    with_tls = False

    @property
    def certificate(self) -> Path:
        """
        The authority that clients trust, L{with_tls}.
        """
        return certificate_in(self.folder / "tls").certificate

    @property
    def url(self) -> str:
        """
        The URL for a client with all permissions.
        """
        who = f"{USER}:{PASSWORD}@" if self.with_users else ""
        tls = f"?tls=true&tlsCAFile={self.certificate}" if self.with_tls else ""
        return f"mongodb://{who}{self.address}/{tls}"

    @classmethod
    def lacking(cls, cache: Path) -> list[str]:
        return [] if program(cache, kind_in_use(cache)).exists() else ["the server"]

    @classmethod
    def install(cls, cache: Path, say: Say) -> None:
        kind = kind_to_install()
        if program(cache, kind).exists():
            return
        if kind == "wheel":
            _install_wheel(cache, say)
            return
        try:
            _compile(cache, say)
        except StackError as e:
            if _chosen():
                raise
            say(f"mongo: {e}\nmongo: installing the wheel instead, which is slower")
            _install_wheel(cache, say)

    def command(self) -> list[str]:
        command = self._without_users()
        return [*command, "--auth"] if self.with_users else command

    def _without_users(self) -> list[str]:
        kind = kind_in_use(self.cache)
        command = [str(program(self.cache, kind)), "--host", "127.0.0.1"]
        command += ["--port", str(self.port), "--cache-size", "512M"]
        command += ["--storage-path", str(self.folder / "data")]
        # Without this, SIGKILL loses writes that were acknowledged with j: true.
        command += ["--sync-on-commit", "--log-level", "WARNING"]
        if kind == "crate":
            command += ["--log-file-max", "16MB"]
        if self.with_tls:
            tls = certificate_in(self.folder / "tls")
            command += ["--tls-cert-file", str(tls.certificate)]
            command += ["--tls-key-file", str(tls.key)]
        return command + self.options

    def prepare(self) -> None:
        if self.with_tls:
            certificate_in(self.folder / "tls")
        if self.with_users and not (self.folder / "users.made").exists():
            self._make_users()

    def _make_users(self) -> None:
        """
        Create the users while the server runs without logins.
        """
        self.process.start(self._without_users(), cwd=self.folder, detached=False)
        try:
            self.with_users = False
            self.wait_ready()
            with self._client(5) as client:
                every = [{"role": "root", "db": "admin"}]
                for user, roles in ((USER, every), (GUEST, [])):
                    client.admin.command("createUser", user, pwd=PASSWORD, roles=roles)
        finally:
            self.with_users = True
            self.process.stop()
        (self.folder / "users.made").touch()

    def operate(self, limit_s: float) -> None:
        """
        Insert a document, journalled.
        """
        from pymongo import WriteConcern

        with self._client(limit_s) as client:
            database = client.get_database("stack", write_concern=WriteConcern(j=True))
            database.ready.replace_one({"_id": 1}, {"_id": 1}, upsert=True)

    def _client(self, limit_s: float) -> MongoClient[dict[str, Any]]:
        from pymongo import MongoClient

        limit_ms = int(limit_s * 1000)
        return MongoClient(
            self.url,
            serverSelectionTimeoutMS=limit_ms,
            connectTimeoutMS=limit_ms,
            socketTimeoutMS=limit_ms,
        )


def kind_in_use(cache: Path) -> Kind:
    """
    Return the kind to start: the chosen one, else the better of those installed.
    """
    chosen = _chosen()
    if chosen:
        return chosen
    return "crate" if program(cache, "crate").exists() else "wheel"


def kind_to_install() -> Kind:
    """
    Return the kind that C{install} installs.
    """
    return _chosen() or ("wheel" if missing(_COMPILERS) else "crate")


def _chosen() -> Kind | None:
    chosen = os.environ.get("WSMSG_STACK_MONGO_KIND", "")
    match chosen:
        case "":
            return None
        case "crate" | "wheel":
            return chosen
    raise StackError(f"WSMSG_STACK_MONGO_KIND={chosen}: neither crate nor wheel")


def program(cache: Path, kind: Kind) -> Path:
    """
    The path of the server, once it is installed.
    """
    if kind == "crate":
        return cache / f"mongo-crate-{CRATE}" / "bin" / "secantusd-rs"
    return cache / f"mongo-wheel-{WHEEL}" / "bin" / "secantusd-py"


def _compile(cache: Path, say: Say) -> None:
    need(_COMPILERS, say)
    say(f"mongo: compiling secantus-mdb {CRATE}; this takes minutes")
    command = ["cargo", "install", "--quiet", "--locked", "--ignore-rust-version"]
    folder = program(cache, "crate").parent.parent
    run(
        [*command, "--root", str(folder), "secantus-mdb", "--version", CRATE],
        environment=_QUICKER,
        limit_s=_COMPILE_S,
    )


def _install_wheel(cache: Path, say: Say) -> None:
    say(f"mongo: installing SecantusDB {WHEEL}")
    folder = program(cache, "wheel").parent.parent
    run([sys.executable, "-m", "venv", str(folder)])
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    try:
        run([*pip, "--disable-pip-version-check", f"SecantusDB=={WHEEL}"])
    except StackError:
        program(cache, "wheel").unlink(missing_ok=True)
        raise
