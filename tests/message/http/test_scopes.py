"""
The scope of each call of HTTP, on all ports of both daemons.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.message.http.cases import ApiCase
from wsmsg.auth.scopes import GRANTED, Scope
from wsmsg.connect.edge.http import EdgeCalls
from wsmsg.http.access import AccessLevel
from wsmsg.http.openapi import describe
from wsmsg.http.routes import Route
from wsmsg.message.http.dead_letters import DeadLetterCalls
from wsmsg.monitoring.admin import health_routes

#: By call: the scope that a key needs.
SCOPES = {
    "POST messages": Scope.SEND,
    "POST messages/send": Scope.SEND,
    "GET conversations/{conversation}/messages": Scope.READ,
    "POST messages/history": Scope.READ,
    "POST messages/unread": Scope.READ,
    "POST messages/mark-read": Scope.MARK,
    "GET messages/{message_id}/life": Scope.READ,
    "GET life": Scope.READ,
    "GET users/{user}/conversations": Scope.READ,
    "GET users/{user}/unread": Scope.READ,
    "GET users/{user}/groups": Scope.READ,
    "POST users/{user}/read": Scope.MARK,
    "DELETE users/{user}/sessions": Scope.KICK,
    "DELETE users/{user}/sessions/{device}": Scope.KICK,
    "DELETE users/{user}/tokens": Scope.KICK,
    "GET presence": Scope.PRESENCE,
    "POST presence": Scope.PRESENCE,
    "POST groups": Scope.GROUPS,
    "GET groups/{group}": Scope.READ,
    "GET groups/{group}/members": Scope.READ,
    "POST groups/{group}/members": Scope.GROUPS,
    "DELETE groups/{group}/members/{user}": Scope.GROUPS,
    "POST names": Scope.READ,
    "PUT names": Scope.SEND,
    "GET users/{user}/blocks": Scope.READ,
    "POST users/{user}/blocks": Scope.SEND,
    "GET users/{user}/invitations": Scope.READ,
    "POST users/{user}/invitations/{group}": Scope.GROUPS,
    "POST groups/{group}/invitations": Scope.GROUPS,
    "GET dead-letters": Scope.OBSERVE,
    "POST dead-letters/replay": Scope.OPERATE,
    "POST connect/online_status": Scope.PRESENCE,
}
_DOCS = Path(__file__).parents[3] / "docs" / "reference" / "http.md"


class ScopeTests(ApiCase):
    """
    Row 8 of issue 11: each call declares its scope.
    """

    def all_routes(self) -> list[Route]:
        """
        Return the routes of both daemons.
        """
        nothing: Any = None
        return [
            *self.routes,
            *EdgeCalls(nothing, nothing, float).routes(),
            *DeadLetterCalls(nothing).routes(),
            *health_routes(nothing),
        ]

    def test_each_call(self) -> None:
        """
        Each call has the scope that its purpose asks for, and only calls for everybody
        have none.
        """
        found = {r.target: r.scope for r in self.all_routes() if r.scope is not None}
        self.assertEqual(found, SCOPES)
        for route in self.all_routes():
            if route.scope is None:
                self.assertIn(
                    route.access, (AccessLevel.UNLIMITED, AccessLevel.ANYBODY)
                )
            if route.changes:
                self.assertNotEqual(route.method, "GET")

    def test_described(self) -> None:
        """
        The description of the API, and its page, name the scope of each call, and which
        calls take a user's token.
        """
        paths = describe(self.routes).paths
        for route in self.routes:
            told = paths[route.path][route.method.lower()].get("security")
            wanted: list[dict[str, list[str]]] | None = None
            if route.scope:
                takes_token = route.access is AccessLevel.USERS
                token = [{"token": list[str]()}] if takes_token else []
                wanted = [{"key": [route.scope.value]}, *token, {}]
            self.assertEqual(told, wanted, route.target)
        page = _DOCS.read_text()
        for scope in GRANTED:
            self.assertTrue(re.search(rf"^\| `{scope.value}` \|", page, re.M), scope)

    def test_each_scope(self) -> None:
        """
        A key with one scope gets 403 from every call of another scope, before anything
        is done, and not from those of its own.
        """
        for scope in GRANTED:
            self.restrict(scope.value)
            for route in self.routes:
                if route.scope is None:
                    continue
                path = re.sub(r"{\w+}", "7", route.target.partition(" ")[2])
                status, document = self.ask(route.method, path, {})
                said = (scope, route.target, document)
                if route.scope is scope:
                    self.assertNotIn(status, (401, 403), said)
                else:
                    self.assertEqual(status, 403, said)
                    reason = document.get("detail") or document["error"]
                    self.assertIn(f"the scope {route.scope.value}", reason)
        self.assertEqual(self.revoked, [(7, self.revoked[0][1])])
