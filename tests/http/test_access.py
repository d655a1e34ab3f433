"""
Access control: keys, tokens, rates and requests in flight.
"""

from __future__ import annotations

from typing import Any

from tests.http.cases import NotesCase
from wsmsg.http.access import MOST_RATES, Access, AccessLevel
from wsmsg.settings.http import HttpSettings

KEYS = ["0123456789abcdef", "fedcba9876543210"]
GET = ("GET", "ping")
NOTE = {"user": 2}


class KeyTests(NotesCase):
    """
    L{Access}, with keys.
    """

    def setUp(self) -> None:
        super().setUp()
        self.configure(keys=KEYS)

    def test_keys(self) -> None:
        """
        Each key opens the calls for services and those for users, and nothing else
        does; calls for everybody need no key.
        """
        for key in KEYS:
            for header in (f"Bearer {key}", f"bearer  {key} ", key):
                self.key = header
                self.assertEqual(self.ask(*GET)[0], 204, header)
                self.assertEqual(self.ask("POST", "users/2/notes", NOTE)[0], 201)
        wrong = ("", "Bearer", "Bearer ", "Bearer x", f"Basic {KEYS[0]}", KEYS[0][:-1])
        for header in (*wrong, f"Bearer {KEYS[0]}x", "Bearer é", "x" * 99999):
            self.key = header
            request = self.begin(*GET)
            status, problem = self.end(request)
            self.assertEqual((status, problem["code"]), (401, "unauthenticated"))
            self.assertNotIn("0123", problem["detail"])
            got = request.responseHeaders.getRawHeaders("www-authenticate")
            self.assertEqual(got, ["Bearer"])
        self.assertEqual(self.ask("GET", "open")[0], 204)

    def test_rotation(self) -> None:
        """
        A reload replaces the keys.
        """
        self.key = f"Bearer {KEYS[0]}"
        self.configure(keys=KEYS[1:])
        self.assertEqual(self.ask(*GET)[0], 401)
        self.configure(keys=[])
        self.key = ""
        self.assertEqual(self.ask(*GET)[0], 204)

    def test_token(self) -> None:
        """
        With a token of their own, users may make the calls for users that are about
        themselves, and no others.
        """
        for header in ("token-of-2", "Bearer token-of-2"):
            self.key = header
            self.assertEqual(self.ask("POST", "users/2/notes", NOTE)[0], 201)
            status, refusal = self.ask("POST", "users/3/notes", NOTE)
            self.assertEqual((status, refusal["code"]), (401, "unauthenticated"))
            self.assertEqual(self.ask("POST", "notes", NOTE)[0], 401)
            self.assertEqual(self.ask(*GET)[0], 401)
        for header in ("nonsense", ""):
            self.key = header
            self.assertEqual(self.ask("POST", "users/2/notes", NOTE)[0], 401)


class LimitTests(NotesCase):
    """
    L{Access}: its limits.
    """

    def test_rate(self) -> None:
        """
        Requests over the rate of their address are refused with the time to wait;
        other addresses have rates of their own.
        """
        self.configure(requests_per_s=1, requests_burst=2)
        self.assertEqual([self.ask(*GET)[0] for _ in range(3)], [204, 204, 429])
        request = self.begin(*GET)
        self.assertEqual(request.responseHeaders.getRawHeaders("retry-after"), ["1"])
        self.address = "192.0.2.8"
        self.assertEqual(self.ask(*GET)[0], 204)
        self.clock.advance(1)
        self.address = "192.0.2.7"
        self.assertEqual([self.ask(*GET)[0] for _ in range(2)], [204, 429])

    def test_rate_of_keys(self) -> None:
        """
        Each key has a rate of its own, whatever the address; wrong keys count for the
        address.
        """
        self.configure(keys=KEYS, requests_per_s=1, requests_burst=2)
        self.assertEqual([self.ask(*GET)[0] for _ in range(3)], [401, 401, 429])
        for key in KEYS:
            self.key = f"Bearer {key}"
            self.assertEqual([self.ask(*GET)[0] for _ in range(3)], [204, 204, 429])

    def test_rates_are_bounded(self) -> None:
        """
        Only the addresses that asked last are remembered, however many ask.
        """
        self.configure(requests_per_s=1, requests_burst=1)
        for n in range(MOST_RATES + 5):
            self.address = f"2001:db8::{n:x}"
            self.assertEqual(self.ask(*GET)[0], 204)
        self.assertEqual(self.ask(*GET)[0], 429)
        self.address = "2001:db8::0"
        self.assertEqual(self.ask(*GET)[0], 204)

    def test_in_flight(self) -> None:
        """
        Requests over the limit of those in flight are refused, until one is answered
        or its client has left.
        """
        self.configure(requests_in_flight=1)
        for leaves in (False, True):
            waiting = self.begin("GET", "slow")
            self.assertEqual(self.access.in_flight, 1)
            request = self.begin(*GET)
            self.assertEqual(self.end(request)[0], 503)
            got = request.responseHeaders.getRawHeaders("retry-after")
            self.assertEqual(got, ["1"])
            if leaves:
                waiting.processingFailed(Exception("gone"))
            else:
                self.calls.waiting.callback(None)
            self.assertEqual(self.access.in_flight, 0)
            self.assertEqual(self.ask(*GET)[0], 204)

    def test_token_rules_follow(self) -> None:
        """
        The authenticator of tokens is made when the first token comes, and again when
        the settings change.
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
