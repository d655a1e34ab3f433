"""
Access control: keys, tokens, rates and requests in flight.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred

from tests.http.cases import NotesCase, believing
from wsmsg.auth.api_keys import NO_KEYS, Keyring
from wsmsg.auth.scopes import Scope
from wsmsg.http.access import MOST_RATES, Access, AccessLevel
from wsmsg.http.routes import Route
from wsmsg.settings.http import HttpSettings
from wsmsg.settings.tokens import TokenSettings

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


class ScopeTests(NotesCase):
    """
    Row 8 of issue 11: keys have names, scopes and address ranges.
    """

    def test_scopes(self) -> None:
        """
        A key opens the calls of its scopes; another call is refused with the name of
        the scope that is missing.
        """
        self.restrict("read")
        self.assertEqual(self.ask(*GET)[0], 204)
        status, problem = self.ask("POST", "notes", NOTE)
        self.assertEqual((status, problem["code"]), (403, "forbidden"))
        self.assertIn("the key few does not have the scope send", problem["detail"])
        self.assertEqual(self.ask("POST", "users/2/notes", NOTE)[0], 403)
        self.assertEqual(self.calls.notes, [])
        self.restrict("read,send")
        self.assertEqual(self.ask("POST", "notes", NOTE)[0], 201)

    def test_addresses(self) -> None:
        """
        A key is accepted from the addresses of its networks only, and behind a listed
        proxy only from that of the client; nobody else's header is believed.
        """
        self.restrict("read,send", "192.0.2.0/28,2001:db8::/32")
        inside = ("192.0.2.7", "::ffff:192.0.2.7", "2001:db8::5")
        for address in inside:
            self.address = address
            self.assertEqual(self.ask(*GET)[0], 204, address)
        for address in ("192.0.2.16", "::1", "2001:db9::5", "", "x"):
            self.address = address
            status, problem = self.ask(*GET)
            self.assertEqual((status, problem["code"]), (403, "forbidden"), address)
            self.assertIn("may not be used from", problem["detail"])
        self.address = "10.1.1.1"
        self.headers = {"x-forwarded-for": "192.0.2.7"}
        self.assertEqual(self.ask(*GET)[0], 403)
        self.access.apply_settings(self.access.settings, proxies=["10.0.0.0/8"])
        self.assertEqual(self.ask(*GET)[0], 204)
        for forwarded in ("192.0.2.7, 198.51.100.9", "198.51.100.9, 10.2.2.2"):
            self.headers = {"x-forwarded-for": forwarded}
            self.assertIn("198.51.100.9", self.ask(*GET)[1]["detail"])

    def test_no_key_is_left(self) -> None:
        """
        A listener whose last key is revoked is not open: it still asks for one.
        """
        self.keyring = Keyring(())
        self.assertEqual(self.ask(*GET)[0], 401)

    def test_rate_behind_a_proxy(self) -> None:
        """
        Without a key, the rate is that of the address behind the proxy.
        """
        self.configure(proxies=["10.1.1.1"], requests_per_s=1, requests_burst=1)
        self.address = "10.1.1.1"
        for client in ("192.0.2.1", "192.0.2.2"):
            self.headers = {"x-forwarded-for": client}
            self.assertEqual([self.ask(*GET)[0] for _ in range(2)], [204, 429])

    def test_calls_have_scopes(self) -> None:
        """
        A route for services without a scope, and an open one with a scope, are mistakes
        in the code.
        """
        for more in (
            {},
            {"access": AccessLevel.USERS},
            {"access": AccessLevel.ANYBODY, "scope": Scope.READ},
            {"access": AccessLevel.UNLIMITED, "scope": Scope.READ},
        ):
            made: Any = more
            with self.assertRaises(TypeError) as told:
                Route("GET x", self.calls.ping, {204: None}, **made)
            self.assertIn("GET x", str(told.exception))


class ChangesTests(NotesCase):
    """
    Row 8 of issue 11: each call that changes something is told to the audit.
    """

    def told(self) -> Sequence[tuple[object, ...]]:
        """
        Return what the audit was told, and forget it.
        """
        told = [
            (c.key, c.address, c.call, dict(c.objects), c.result, c.code)
            for c in self.changes
        ]
        self.changes.clear()
        return told

    def test_changes(self) -> None:
        """
        A call that changes something is told with the name of the key, the address, the
        object and the result, be it done, refused or broken; reads are not told.
        """
        call, address = "POST /api/v1/users/{user}/notes", "192.0.2.7"
        self.restrict("read")
        self.ask("POST", "users/2/notes", NOTE)
        self.ask(*GET)
        self.ask("GET", "users/2/notes")
        self.assertEqual(
            self.told(), [("few", address, call, {"user": "2"}, 403, "forbidden")]
        )
        self.restrict("send")
        self.ask("POST", "users/2/notes", NOTE)
        self.ask("POST", "users/2/notes", b"[")
        self.key = "token-of-2"
        self.ask("POST", "users/2/notes", NOTE)
        self.key = "nonsense"
        self.ask("POST", "users/2/notes", NOTE)
        self.ask("POST", "notes", NOTE)
        self.keyring = NO_KEYS
        self.ask("POST", "notes", NOTE)
        about = {"user": "2"}
        self.assertEqual(
            self.told(),
            [
                ("few", address, call, about, 201, "ok"),
                ("few", address, call, about, 400, "bad_request"),
                ("(user)", address, call, about, 201, "ok"),
                ("(user)", address, call, about, 401, "unauthenticated"),
                (
                    "(unknown)",
                    address,
                    "POST /api/v1/notes",
                    {},
                    401,
                    "unauthenticated",
                ),
                ("(anybody)", address, "POST /api/v1/notes", {"note": 2}, 201, "ok"),
            ],
        )

    def test_left(self) -> None:
        """
        A caller who leaves before the answer is told too: the change may be made.
        """
        request = self.begin("POST", "slow", NOTE)
        request.processingFailed(Exception("gone"))
        ((_, _, _, _, result, code),) = self.told()
        self.assertEqual((result, code), (499, "left"))


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
            return believing(TokenSettings())

        self.configure(keys=KEYS)
        access = Access(HttpSettings(), self.clock, make, keys=lambda: self.keyring)
        self.key = "token-of-1"
        for expected in (1, 1):
            request = self.begin(*GET)
            with access.admit(request, AccessLevel.USERS) as caller:
                self.successResultOf(Deferred.fromCoroutine(caller.check_user(1)))
            self.assertEqual(len(made), expected)
        access.apply_settings(HttpSettings())
        with access.admit(request, AccessLevel.USERS) as caller:
            self.successResultOf(Deferred.fromCoroutine(caller.check_user(1)))
        self.assertEqual(len(made), 2)
