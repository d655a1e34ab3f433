"""
Tests of the keys of Message's HTTP API, with real daemons.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any, ClassVar

from tests.conformance.plain_http import ask
from tests.integration.cases import eventually, with_daemons
from tests.integration.http.cases import HttpTestCase
from wsmsg.auth.api_keys import new_key
from wsmsg.auth.key_file import add_key
from wsmsg.auth.scopes import GRANTED

SECRETS = ("0123456789abcdef", "fedcba9876543210")


def secret_of(name: str) -> str:
    """
    Return the secret of the key with a name.
    """
    return f"the-secret-of-{name}"


def make_keys(folder: Path, **keys: tuple[str, ...]) -> Path:
    """
    Make the file of keys of an installation.

    @param keys: by name, the scopes and the networks; none: a key with all scopes for
        each of L{SECRETS}.
    """
    path = folder / "data" / "api.keys"
    if path.exists():
        return path
    for name, (given, *networks) in keys.items():
        add_key(path, new_key(name, given.split(","), networks, secret_of(name))[0])
    if not keys:
        for number, secret in enumerate(SECRETS, 1):
            scopes = [scope.value for scope in GRANTED]
            add_key(path, new_key(f"all-{number}", scopes, (), secret)[0])
    return path


class KeysTests(HttpTestCase):
    """
    The HTTP API with keys.
    """

    headers: ClassVar[dict[str, str]] = {"Authorization": f"Bearer {SECRETS[1]}"}

    def installed(self) -> None:
        make_keys(self.installation.folder)

    @with_daemons
    async def test_keys(self) -> None:
        """
        A request without a valid key is refused.
        """
        path = f"users/{self.user()}/unread"
        self.assertEqual((await self.ask("GET", path)).status, 200)
        for headers in ({}, {"Authorization": "Bearer 0123"}):
            answer = await self.ask("GET", path, headers=headers)
            self.assertEqual(answer.status, 401)
            self.assertEqual(answer.document["code"], "unauthenticated")
            self.assertEqual(answer.headers["www-authenticate"], "Bearer")

    @with_daemons
    async def test_token(self) -> None:
        """
        A user's token gives access to the user's own messages, and not to those of
        others.
        """
        anna, ben = self.user(), self.user()
        await self.send(anna, ben, "hello")
        (message,) = await self.unread(ben, 1)
        token = {"Authorization": self.installation.token(ben)}
        ids = {"user_id": ben, "message_ids": [message["id"]]}
        asked: dict[str, dict[str, Any]] = {"unread": {"user_id": ben}}
        asked["mark-read"] = ids
        for name, body in asked.items():
            answer = await self.ask("POST", f"messages/{name}", body, headers=token)
            self.assertEqual(answer.status, 200, answer)
            body["user_id"] = anna
            answer = await self.ask("POST", f"messages/{name}", body, headers=token)
            self.assertEqual(answer.status, 401, answer)
        await self.unread(ben, 0)
        forged = {"Authorization": self.installation.token(ben)[:-2]}
        answer = await self.ask(
            "POST", "messages/unread", {"user_id": ben}, headers=forged
        )
        self.assertEqual(answer.status, 401, answer)


class NamedTokenTests(HttpTestCase):
    """
    The HTTP API with keys, where users have names.
    """

    message: ClassVar[dict[str, Any]] = {"users.names": "true"}
    connect: ClassVar[dict[str, Any]] = {"users.names": "true"}
    headers: ClassVar[dict[str, str]] = {"Authorization": f"Bearer {SECRETS[1]}"}

    def installed(self) -> None:
        make_keys(self.installation.folder)

    @with_daemons
    async def test_named_token(self) -> None:
        """
        The token of a user with a name gives access to this user's messages, until it
        is revoked by the name, and not to those of others.
        """
        ask = {"names": ["ida/1", "jan"]}
        ida, jan = (await self.ask("PUT", "names", ask)).document["users"]
        token = {"Authorization": self.installation.token("ida/1")}
        for user, status in ((ida, 200), (jan, 401), (1001, 401)):
            body = {"user_id": user}
            answer = await self.ask("POST", "messages/unread", body, headers=token)
            self.assertEqual(answer.status, status, answer)
        revoked = await self.ask("DELETE", "users/ida%2F1/tokens")
        self.assertEqual(revoked.status, 200, revoked)
        answer = await self.ask(
            "POST", "messages/unread", {"user_id": ida}, headers=token
        )
        self.assertEqual(answer.status, 401, answer)


class RateTests(HttpTestCase):
    """
    The HTTP API with a low rate limit.
    """

    message: ClassVar[dict[str, Any]] = {
        "http.requests_per_s": "1",
        "http.requests_burst": "5",
    }
    headers: ClassVar[dict[str, str]] = {"Authorization": f"Bearer {SECRETS[1]}"}

    def installed(self) -> None:
        make_keys(self.installation.folder)

    @with_daemons
    async def test_rate(self) -> None:
        """
        Requests over the rate get 429 with the time to retry; other callers are served.
        """
        headers = {"Authorization": "Bearer 0123456789abcdef"}

        async def too_often() -> bool:
            asked = [
                self.ask("GET", "presence?users=1", headers=headers) for _ in range(20)
            ]
            answers = await asyncio.gather(*asked)
            late = [a for a in answers if a.status == 429]
            self.assertTrue(all(int(a.headers["retry-after"]) >= 1 for a in late))
            return bool(late)

        await eventually("somebody is told to wait", too_often)
        self.assertEqual((await self.ask("GET", "presence?users=1")).status, 200)


class RotationTests(HttpTestCase):
    """
    Row 8 of issue 11: keys in a file, made and revoked while Message runs.
    """

    alone = True

    @with_daemons
    async def test_rotation(self) -> None:
        """
        A reload takes keys that were made, and refuses those that were revoked; a file
        with a mistake changes nothing and raises an alarm; no log contains a secret.
        """
        message = self.installation.message
        old = await self.key("new", "old", "--scopes", "presence")
        await message.start()
        await message.ready()
        new = await self.key("new", "new", "--scopes", "presence,read")
        self.assertEqual(await self.opens(old, new), [200, 401])
        await self.reload("changed files: api.keys (2 API keys)")
        self.assertEqual(await self.opens(old, new), [200, 200])
        await self.key("revoke", "old")
        await self.reload("changed files: api.keys (1 API key)")
        self.assertEqual(await self.opens(old, new), [401, 200])
        file = self.installation.folder / "data" / "api.keys"
        content = file.read_text()
        file.write_text(f"{content}old read\n")
        await self.reload("alarm api_keys")
        self.assertEqual(await self.opens(old, new), [401, 200])
        _, told = await message.get("/readyz")
        self.assertTrue(told["degraded"])
        self.assertIn("line 2: has 2 fields", told["alarms"][0]["reason"])
        await self.key("revoke", "new", status=1)
        file.write_text(content)
        await self.reload("alarm api_keys is over")
        await self.key("revoke", "new")
        await self.reload("changed files: api.keys (0 API keys)")
        self.assertEqual(await self.opens(old, new, ""), [401, 401, 401])
        log = "\n".join(message.lines())
        for key in (old, new):
            self.assertNotIn(key, log)

    async def reload(self, says: str) -> None:
        """
        Have Message read its files again, and wait until it says so.
        """
        message = self.installation.message
        await message.signal(signal.SIGHUP)
        await message.until_logged(says)

    async def key(self, *arguments: str, status: int = 0) -> str:
        """
        Run C{wsmsg key}, and return what it prints.
        """
        data = str(self.installation.folder / "data")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from wsmsg.cli.main import main; main()"),
            *("key", *arguments, "--data-dir", data),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        told, mistakes = await process.communicate()
        self.assertEqual(process.returncode, status, mistakes)
        return told.decode().strip()

    @with_daemons
    async def test_at_the_start(self) -> None:
        """
        Message does not start with a file of keys that it cannot use, and with the
        setting of earlier versions it says what takes its place.
        """
        message = self.installation.message
        make_keys(self.installation.folder).chmod(0o666)
        await message.start()
        self.assertEqual(await message.wait(), 1)
        self.assertIn("cannot use the API keys: ", message.tail())
        self.assertIn("others may write to it (mode 666)", message.tail())
        message.extra["http.keys"] = "0123456789abcdef"
        await message.start()
        self.assertEqual(await message.wait(), 2)
        self.assertIn("wsmsg key new NAME --scopes", message.tail())
        self.assertNotIn("0123456789abcdef", message.tail())

    async def opens(self, *keys: str) -> list[int]:
        """
        Return the status of each of these requests.
        """
        answers = [
            await self.ask(
                "GET", "presence?users=1", headers={"Authorization": f"Bearer {key}"}
            )
            for key in keys
        ]
        return [answer.status for answer in answers]


class ScopeTests(HttpTestCase):
    """
    Row 8 of issue 11: names, scopes, addresses, and the audit.
    """

    message: ClassVar[dict[str, Any]] = {"log.format": "json"}
    connect: ClassVar[dict[str, Any]] = {"log.format": "json"}
    keys: ClassVar[dict[str, tuple[str, ...]]] = {
        "reader": ("read",),
        "office": ("kick,send,presence", "127.0.0.0/8"),
        "elsewhere": ("kick,send,presence", "192.0.2.0/24"),
    }

    def installed(self) -> None:
        make_keys(self.installation.folder, **self.keys)

    async def call(
        self, name: str, method: str, path: str, body: Any = None
    ) -> tuple[int, str]:
        """
        Call with the key of a name, and return the status and the reason.
        """
        headers = {"Authorization": f"Bearer {secret_of(name)}"}
        answer = await self.ask(method, path, body, headers=headers)
        return answer.status, str(answer.document.get("detail"))

    @with_daemons
    async def test_scopes_and_addresses(self) -> None:
        """
        A key does what its scopes say, from its addresses, on the ports of both
        daemons; the refusal names what is missing.
        """
        user = self.user()
        kick = ("DELETE", f"users/{user}/sessions")
        device = await self.device(user)
        status, reason = await self.call("reader", *kick)
        self.assertEqual(status, 403)
        self.assertIn("the key reader does not have the scope kick", reason)
        status, reason = await self.call("elsewhere", *kick)
        self.assertEqual(status, 403)
        self.assertIn("the key elsewhere may not be used from 127.0.0.1", reason)
        self.assertEqual((await self.call("nobody", *kick))[0], 401)
        await device.pong()
        self.assertEqual((await self.call("office", *kick))[0], 200)
        self.assertEqual(await device.closed(), 4505)
        edge = self.installation.connect.port("listen")
        path = "/api/v1/connect/online_status"
        for name, wanted in (
            ("office", 200),
            ("elsewhere", 403),
            ("reader", 403),
            ("nobody", 401),
            ("", 401),
        ):
            headers = {"Authorization": f"Bearer {secret_of(name)}"} if name else {}
            body = {"user_ids": [user]}
            answer = await ask(edge, "POST", path, body, headers=headers)
            self.assertEqual(answer.status, wanted, (name, answer))
        token = {"Authorization": self.installation.token(user)}
        answer = await ask(edge, "POST", path, {"user_ids": [user]}, headers=token)
        self.assertEqual(answer.status, 200)

    @with_daemons
    async def test_audit(self) -> None:
        """
        The log has a line for each call that changes something, done or refused, with
        the same fields; what callers name breaks no line.
        """
        user, other = self.user(), self.user()
        odd = "pho%0Ane%E2%80%A8x%20y%22%1B%5B2J"
        body = {"client_id": "1", "from": user, "to": other, "content": "secret"}
        await self.call("office", "POST", "messages", body)
        await self.call("office", "DELETE", f"users/{user}/sessions/{odd}")
        await self.call("office", "DELETE", f"users/{user}/tokens?before=1000")
        await self.call("reader", "DELETE", f"users/{user}/sessions")
        await self.call("reader", "GET", f"users/{user}/unread")
        await self.call("nobody", "POST", "messages", body)
        lines = [
            json.loads(line)
            for line in self.installation.message.lines()
            if '"wsmsg.audit"' in line
        ]
        found = [line for line in lines if str(user) in line["object"]]
        kick = "DELETE /api/v1/users/{user}/sessions"
        conversation = f"u:{user}:{other}"
        message = r"message_id=\d+"
        for line, (key, call, about, result, code) in zip(
            found,
            (
                (
                    "office",
                    "POST /api/v1/messages",
                    f"sender={user} conversation={conversation} {message}",
                    201,
                    "ok",
                ),
                (
                    "office",
                    f"{kick}/{{device}}",
                    f'user={user} device="pho\u240ane<U\\+2028>x y\\\\"\u241b\\[2J"',
                    200,
                    "ok",
                ),
                (
                    "office",
                    "DELETE /api/v1/users/{user}/tokens",
                    f"user={user} before_ms=1000000",
                    200,
                    "ok",
                ),
                ("reader", kick, f"user={user}", 403, "forbidden"),
            ),
            strict=True,
        ):
            self.assertRegex(line["object"], f"^{about}$")
            self.assertEqual(
                [line[n] for n in ("key", "address", "call", "result", "code")],
                [key, "127.0.0.1", call, result, code],
            )
            self.assertEqual((line["level"], line["source"]), ("info", "wsmsg.audit"))
        unknown = lines[-1]
        self.assertEqual((unknown["key"], unknown["result"]), ("(unknown)", 401))
        self.assertNotIn("secret", "\n".join(self.installation.message.lines()))
