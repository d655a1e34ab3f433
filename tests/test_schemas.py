"""
The schemas that C{docs/} has as files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import yaml
from hypothesis import given
from jsonschema import Draft7Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from twisted.trial.unittest import SynchronousTestCase

from tests.protocol.test_codecs import client_frames, server_frames
from tools.routes import connect_routes, message_routes
from tools.schemas import asyncapi
from tools.schemas.pages import frame_pages
from wsmsg.protocol.frames import ClientFrame, ServerFrame
from wsmsg.protocol.json import CODEC

DOCS = Path(__file__).resolve().parent.parent / "docs"


class OpenApiTests(SynchronousTestCase):
    """
    C{docs/openapi.json}.
    """

    def setUp(self) -> None:
        self.document = json.loads((DOCS / "openapi.json").read_text())

    def test_valid(self) -> None:
        """
        The file is valid OpenAPI 3.1.
        """
        problems = list(OpenAPIV31SpecValidator(self.document).iter_errors())
        self.assertEqual(problems, [])

    def test_every_call(self) -> None:
        """
        The file describes every call of both daemons, each with a summary, and says
        which daemons serve it.
        """
        routes = [*message_routes(), *connect_routes()]
        described = {
            (method.upper(), path)
            for path, operations in self.document["paths"].items()
            for method in operations
            if method != "servers"
        }
        self.assertEqual(described, {(r.method, r.path) for r in routes})
        for path, operations in self.document["paths"].items():
            ports = [server["url"][-5:] for server in operations.pop("servers")]
            serving = (("21004", message_routes()), ("21005", connect_routes()))
            wanted = [port for port, rs in serving if path in {r.path for r in rs}]
            self.assertEqual(ports, wanted, path)
            for operation in operations.values():
                self.assertTrue(operation["summary"].endswith("."), path)

    def test_credentials(self) -> None:
        """
        Each call names the scope that a key needs; a call about a user takes the
        user's token as well, and health checks need neither.
        """
        security = {
            path: operations[method].get("security")
            for path, operations in self.document["paths"].items()
            for method in operations
            if method != "servers"
        }
        self.assertEqual(security["/api/v1/messages"], [{"key": ["send"]}, {}])
        self.assertEqual(
            security["/api/v1/messages/unread"], [{"key": ["read"]}, {"token": []}, {}]
        )
        self.assertIsNone(security["/readyz"])


class AsyncApiTests(SynchronousTestCase):
    """
    C{docs/asyncapi.yaml}.
    """

    def setUp(self) -> None:
        self.document = _asyncapi()

    def payload(self, name: str) -> Any:
        """
        Return a validator of the frames that a message may have.
        """
        components = self.document["components"]
        message = components["messages"][name]
        schema = {"allOf": [message["payload"]], "components": components}
        return Draft7Validator(schema)

    def test_every_frame(self) -> None:
        """
        Each frame of a client is an operation, and each frame of the server is an
        answer to one or sent of the server's own accord.
        """
        client = {f.__struct_config__.tag for f in get_args(ClientFrame)}
        server = {asyncapi.server_name(f) for f in get_args(ServerFrame)}
        operations = self.document["operations"].values()
        received = [o for o in operations if o["action"] == "receive"]
        self.assertEqual({m for o in received for m in _messages(o)}, client)
        answers = {m for o in received for m in _messages(o.get("reply", {}))}
        pushed = {m for o in operations if o["action"] == "send" for m in _messages(o)}
        self.assertEqual(answers | pushed, server)
        channel = self.document["channels"]["connect"]
        self.assertEqual(set(channel["messages"]), client | server)

    def test_answers(self) -> None:
        """
        The page of the protocol names the same answers, in the parts about the frames
        or about the answers.
        """
        pages = frame_pages()
        for name, answers in asyncapi.ANSWERS.items():
            asked = " ".join(pages[name, False].paragraphs)
            for answer in {*answers} - {"error"}:
                answered = " ".join(pages[answer, False].paragraphs)
                self.assertTrue(
                    f"`{answer}`" in asked or f"answer to `{name}`" in answered,
                    (name, answer),
                )

    def test_examples(self) -> None:
        """
        Each message has an example, which its schema accepts.
        """
        for name, message in self.document["components"]["messages"].items():
            self.assertNotEqual(message["examples"], [], name)
            for example in message["examples"]:
                problems = list(self.payload(name).iter_errors(example["payload"]))
                self.assertEqual(problems, [], name)

    def test_refused(self) -> None:
        """
        A schema refuses a frame of another kind, a missing field and a wrong type; it
        accepts unknown fields, and numbers as digits.
        """
        page = self.payload("sync")
        sync = {"type": "sync", "id": "s", "conversation": "g:1", "after": 7}
        for good in ({}, {"after": "9007199254740993"}, {"newer": [1]}):
            self.assertTrue(page.is_valid({**sync, **good}), good)
        for bad in ({"type": "send"}, {"after": "7 "}, {"after": 1.5}, {"id": 1}):
            self.assertFalse(page.is_valid({**sync, **bad}), bad)
        self.assertFalse(page.is_valid({"type": "sync", "id": "s"}))

    @given(client_frames)
    def test_frames_of_clients(self, frame: ClientFrame) -> None:
        """
        The schemas accept what a client sends.
        """
        sent = json.loads(CODEC.encode_client(frame))
        name = type(frame).__struct_config__.tag
        self.assertEqual(list(self.payload(str(name)).iter_errors(sent)), [])

    @given(server_frames)
    def test_frames_of_the_server(self, frame: ServerFrame) -> None:
        """
        The schemas accept what Connect sends, with names beside it or without.
        """
        validator = self.payload(asyncapi.server_name(type(frame)))
        for encoded in (CODEC.encode(frame), CODEC.encode_named(frame, {7: "anna"})):
            self.assertEqual(list(validator.iter_errors(json.loads(encoded))), [])


@cache
def _asyncapi() -> Any:
    text = (DOCS / "asyncapi.yaml").read_text(encoding="utf-8")
    return yaml.load(text, yaml.CSafeLoader)


def _messages(operation: Any) -> Iterator[str]:
    for message in operation.get("messages", ()):
        yield message["$ref"].rpartition("/")[2]
