"""
Tests of the keys of Message's HTTP API, with real daemons.
"""

from __future__ import annotations

import asyncio
import signal
from typing import Any, ClassVar

from tests.integration.cases import eventually, with_daemons
from tests.integration.http.cases import HttpTestCase


class KeysTests(HttpTestCase):
    """
    The HTTP API with keys.
    """

    message: ClassVar[dict[str, Any]] = {
        "http.keys": "0123456789abcdef,fedcba9876543210",
    }
    headers: ClassVar[dict[str, str]] = {"Authorization": "Bearer fedcba9876543210"}

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


class RateTests(HttpTestCase):
    """
    The HTTP API with a low rate limit.
    """

    message: ClassVar[dict[str, Any]] = {
        "http.keys": "0123456789abcdef,fedcba9876543210",
        "http.requests_per_s": "1",
        "http.requests_burst": "5",
    }
    headers: ClassVar[dict[str, str]] = {"Authorization": "Bearer fedcba9876543210"}

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
    Keys in a settings file.
    """

    alone = True

    @with_daemons
    async def test_rotation(self) -> None:
        """
        A reload replaces the keys; a settings file with an invalid key changes nothing;
        no log contains a key.
        """
        message = self.installation.message
        file = message.log.with_suffix(".toml")
        old, new = "0123456789abcdef", "fedcba9876543210"
        file.write_text(f'[message.http]\nkeys = ["{old}"]\n')
        message.arguments = ["--config", str(file)]
        await message.start()
        await message.ready()
        self.assertEqual(await self.opens(old, new), [200, 401])
        for key, says in ((new, "settings reloaded"), ("short", "were not reloaded")):
            file.write_text(f'[message.http]\nkeys = ["{key}"]\n')
            await message.signal(signal.SIGHUP)
            await message.until_logged(says)
            self.assertEqual(await self.opens(old, new), [401, 200])
        log = "\n".join(message.lines())
        for key in (old, new, "short"):
            self.assertNotIn(key, log.replace("too short", ""))

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
