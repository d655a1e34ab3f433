"""
The OpenAPI description of Message's HTTP API.
"""

from __future__ import annotations

import json
import re
from typing import Any

from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.message.http.cases import ApiCase


class DescriptionTests(ApiCase):
    """
    C{openapi.json}.
    """

    def setUp(self) -> None:
        super().setUp()
        status, self.document = self.ask("GET", "openapi.json")
        self.assertEqual(status, 200)

    def form(self, name: str) -> Any:
        """
        Return a validator of documents by a schema of the description.
        """
        root = {"$ref": f"#/components/schemas/{name}", **self.document}
        return OAS31Validator(root)

    def test_valid(self) -> None:
        """
        The description is valid OpenAPI 3.1.
        """
        problems = list(OpenAPIV31SpecValidator(self.document).iter_errors())
        self.assertEqual(problems, [])

    def test_every_route(self) -> None:
        """
        Each route is described, with a summary, and nothing else.
        """
        described = {
            (method.upper(), path)
            for path, operations in self.document["paths"].items()
            for method in operations
        }
        self.assertEqual(described, {(r.method, r.path) for r in self.routes})
        names = []
        for operations in self.document["paths"].values():
            for operation in operations.values():
                names.append(operation["operationId"])
                self.assertTrue(operation["summary"].endswith("."), operation)
        self.assertEqual(len(names), len(set(names)))

    def test_readable(self) -> None:
        """
        The description has no markup of the code, and each schema has a description.
        """
        self.assertEqual(re.findall(r"@\w+|[CL]\{", json.dumps(self.document)), [])
        for name, schema in self.document["components"]["schemas"].items():
            self.assertTrue(schema["description"].strip(), name)

    def test_fields_described(self) -> None:
        """
        A field has its description, under the name that it has in JSON.
        """
        schemas = self.document["components"]["schemas"]
        sender = schemas["NewMessage"]["properties"]["from"]
        self.assertIn("the user who sends it", sender["description"])

    def test_answers_are_as_described(self) -> None:
        """
        Answers have the schemas that the description names.
        """
        body = {"client_id": "c", "owner": 1, "name": "crew", "members": [2]}
        asked: list[tuple[str, str, Any, str]] = [
            ("POST", "groups", body, "GroupDetails"),
            ("POST", "messages", self.message("a"), "AcceptedMessage"),
            ("POST", "messages", self.message("a"), "AcceptedMessage"),
            ("GET", "users/1/conversations", None, "ConversationList"),
            ("GET", "users/1/unread", None, "UnreadCounts"),
            ("GET", "users/1/groups", None, "GroupList"),
            ("POST", "presence", {"users": [1]}, "PresenceList"),
            ("DELETE", "users/1/sessions", None, "SessionsEnded"),
            ("POST", "messages/unread", {"user_id": 2}, "LegacyUnreadView"),
            ("POST", "messages/history", {"user_id": 2}, "LegacyHistoryView"),
            ("POST", "messages/send", self.message("b"), "LegacySent"),
            ("POST", "messages/mark-read", {"user_id": 2}, "LegacyMarkedRead"),
            ("GET", "nowhere", None, "Problem"),
            ("POST", "messages/send", {}, "PlainError"),
        ]
        for method, path, body, name in asked:
            _, answer = self.ask(method, path, body)
            problems = [e.message for e in self.form(name).iter_errors(answer)]
            self.assertEqual(problems, [], (path, answer))

    def message(self, client_id: str) -> Any:
        """
        A message, for C{messages} and C{messages/send}.
        """
        return {"client_id": client_id, "from": 1, "to": 2, "content": "x"}
