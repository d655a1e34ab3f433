"""
Who may call Message's HTTP, how often and how many at a time.
"""

from __future__ import annotations

from typing import Any

from tests.message.http.cases import WebCase
from wsmsg.http.access import REMEMBERED, Access, AccessLevel
from wsmsg.settings.http import HttpSettings

KEYS = ["0123456789abcdef", "fedcba9876543210"]
GET = ("GET", "users/2/unread")


class KeyTests(WebCase):
    """
    L{Access}, with keys.
    """

    def setUp(self) -> None:
        super().setUp()
        self.configure(keys=KEYS)

    def test_keys(self) -> None:
        """
        With keys each of them opens our calls and those of the contract, and nothing
        else does.
        """
        for key in KEYS:
            for header in (f"Bearer {key}", f"bearer  {key} ", key):
                self.key = header
                self.assertEqual(self.ask(*GET)[0], 200, header)
        wrong = ("", "Bearer", "Bearer ", "Bearer x", f"Basic {KEYS[0]}", KEYS[0][:-1])
        for header in (*wrong, f"Bearer {KEYS[0]}x", "Bearer é", "x" * 99999):
            self.key = header
            request = self.begin(*GET)
            status, problem = self.end(request)
            self.assertEqual((status, problem["code"]), (401, "unauthenticated"))
            self.assertNotIn("0123", problem["detail"])
            got = request.responseHeaders.getRawHeaders("www-authenticate")
            self.assertEqual(got, ["Bearer"])
        self.assertEqual(self.ask("POST", "messages/history", {"user_id": 1})[0], 401)
        self.assertEqual(self.ask("GET", "openapi.json")[0], 200)

    def test_rotation(self) -> None:
        """
        A reload puts other keys in the place of the old ones.
        """
        self.key = f"Bearer {KEYS[0]}"
        self.configure(keys=KEYS[1:])
        self.assertEqual(self.ask(*GET)[0], 401)
        self.configure(keys=[])
        self.key = ""
        self.assertEqual(self.ask(*GET)[0], 200)

    def test_token(self) -> None:
        """
        With their own token users ask what they have not read, and mark it, but not
        what is another's; nothing else is open to them.
        """
        for header in ("token-of-2", "Bearer token-of-2"):
            self.key = header
            for name in ("unread", "mark-read"):
                path = f"messages/{name}"
                self.assertEqual(self.ask("POST", path, {"user_id": 2})[0], 200)
                status, refusal = self.ask("POST", path, {"user_id": 3})
                self.assertEqual((status, refusal["code"]), (401, "unauthenticated"))
            body: dict[str, Any] = {"from": 2, "to": 3, "content": "x"}
            self.assertEqual(self.ask("POST", "messages/send", body)[0], 401)
            self.assertEqual(
                self.ask("POST", "messages/history", {"user_id": 2})[0], 401
            )
            self.assertEqual(self.ask(*GET)[0], 401)
        self.key = "nonsense"
        self.assertEqual(self.ask("POST", "messages/unread", {"user_id": 2})[0], 401)
        self.key = ""
        self.assertEqual(self.ask("POST", "messages/unread", {"user_id": 2})[0], 401)


class LimitTests(WebCase):
    """
    L{Access}: its limits.
    """

    def test_rate(self) -> None:
        """
        More often than the rate is refused with the time to wait, for one address or
        one key, and not for others.
        """
        self.configure(requests_per_s=1, requests_burst=2)
        self.assertEqual([self.ask(*GET)[0] for _ in range(3)], [200, 200, 429])
        request = self.begin(*GET)
        self.assertEqual(request.responseHeaders.getRawHeaders("retry-after"), ["1"])
        self.address = "192.0.2.8"
        self.assertEqual(self.ask(*GET)[0], 200)
        self.clock.advance(1)
        self.address = "192.0.2.7"
        self.assertEqual([self.ask(*GET)[0] for _ in range(2)], [200, 429])

    def test_rate_of_keys(self) -> None:
        """
        Whoever has a key shares a rate with nobody at the same address, and guessing
        keys counts for the address.
        """
        self.configure(keys=KEYS, requests_per_s=1, requests_burst=2)
        self.assertEqual([self.ask(*GET)[0] for _ in range(3)], [401, 401, 429])
        for key in KEYS:
            self.key = f"Bearer {key}"
            self.assertEqual([self.ask(*GET)[0] for _ in range(3)], [200, 200, 429])

    def test_rates_are_bounded(self) -> None:
        """
        However many addresses ask, few are remembered: those that asked last.
        """
        self.configure(requests_per_s=1, requests_burst=1)
        for n in range(REMEMBERED + 5):
            self.address = f"2001:db8::{n:x}"
            self.assertEqual(self.ask("GET", "presence", users="1")[0], 200)
        self.assertEqual(self.ask("GET", "presence", users="1")[0], 429)
        self.address = "2001:db8::0"
        self.assertEqual(self.ask("GET", "presence", users="1")[0], 200)

    def test_in_flight(self) -> None:
        """
        Over the number of requests that are being answered more are refused, until one
        is done or its caller is gone.
        """
        self.configure(requests_in_flight=1)
        self.journal.delivers = False
        for name, leaves in (("late", False), ("gone", True)):
            slow = {"client_id": name, "owner": 1, "name": name}
            waiting = self.begin("POST", "groups", slow)
            self.assertEqual(self.access.in_flight, 1)
            request = self.begin(*GET)
            self.assertEqual(self.end(request)[0], 503)
            got = request.responseHeaders.getRawHeaders("retry-after")
            self.assertEqual(got, ["1"])
            if leaves:
                waiting.processingFailed(Exception("gone"))
            else:
                self.clock.pump([0.1] * 30)
            self.assertEqual(self.access.in_flight, 0)
            self.assertEqual(self.ask(*GET)[0], 200)

    def test_token_rules_follow(self) -> None:
        """
        What believes tokens is made when the first one comes, and again when the
        settings change.
        """
        made: list[object] = []

        def make(settings: object) -> Any:
            made.append(settings)
            return lambda token, user: None

        access = Access(HttpSettings(keys=KEYS), self.clock, make)  # type: ignore[arg-type]
        self.key = "some-token"
        for expected in (1, 1):
            request = self.begin(*GET)
            with access.admit(request, AccessLevel.USERS) as caller:
                self.assertRaises(AttributeError, caller.check_user, 1)
            self.assertEqual(len(made), expected)
        access.apply_settings(HttpSettings(keys=KEYS))  # type: ignore[arg-type]
        with access.admit(request, AccessLevel.USERS) as caller:
            self.assertRaises(AttributeError, caller.check_user, 1)
        self.assertEqual(len(made), 2)
