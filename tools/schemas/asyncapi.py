"""
C{docs/asyncapi.yaml}: the client protocol in AsyncAPI 3, from the point of view of
Connect, which receives the frames of clients and sends its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from inspect import getdoc
from typing import Any, get_args

import yaml

from tools.schemas.pages import FramePage, frame_pages
from tools.schemas.payloads import BESIDE, reference, schemas
from wsmsg import __version__
from wsmsg.errors import ERRORS, Close, reconnect_allowed
from wsmsg.protocol.frames import ClientFrame, ServerFrame
from wsmsg.protocol.json import JsonCodec
from wsmsg.protocol.protobuf import ProtobufCodec

_SUBMITTED = ("accepted", "rejected")

#: The frames that answer a frame of a client.
ANSWERS: Mapping[str, Sequence[str]] = {
    "hello": ("welcome", "error"),
    "send": _SUBMITTED,
    "delivered": (),
    "read": (),
    "sync": ("page", "error"),
    "conversations": ("heads", "error"),
    "typing": (),
    "watch": ("presence", "error"),
    "recall": _SUBMITTED,
    "ping": ("pong",),
    "create_group": _SUBMITTED,
    "change_group": _SUBMITTED,
    "members": ("group", "error"),
    "refresh": ("refreshed", "error"),
    "block": _SUBMITTED,
    "blocks": ("blocked", "error"),
    "invite": _SUBMITTED,
    "accept_invitation": _SUBMITTED,
    "decline_invitation": _SUBMITTED,
    "invitations": ("invited", "error"),
    "names": ("named", "error"),
}

#: The frames that the server sends of its own accord.
PUSHES = (
    "deliver",
    "receipt",
    "presence",
    "typing_from_server",
    "resync",
    "goaway",
    "expiring",
    "error",
)

_BOTH = "typing"
_SECOND = "typing_from_server"
# The fields by which an answer names its request.
_CORRELATED = ("client_id", "id", "nonce")

_DESCRIPTION = "\n\n".join(
    (
        "The protocol between a client and Connect: one WebSocket, frames both ways. "
        f"This file has the JSON of the subprotocol {JsonCodec.subprotocol}; "
        "client.proto has the same frames for the subprotocol "
        f"{ProtobufCodec.subprotocol}. The protocol's page says what they mean, "
        "in which order they come, and how a client loses nothing.",
        "Ignore fields and frames that you do not know: later versions of the server "
        "add some. A field that is missing has its default. An integer above 2^53 is "
        "written as a string of digits, and both forms are read.",
    )
)

_CHANNEL = "#/channels/connect"


def document() -> Any:
    """
    Return the description of the protocol.
    """
    client, server = get_args(ClientFrame), get_args(ServerFrame)
    pages = frame_pages()
    messages = {
        **{_tag(f): _message(f, pages[_tag(f), False]) for f in client},
        **{
            name: _message(f, pages[_tag(f), name == _SECOND], from_server=True)
            for f, name in ((f, server_name(f)) for f in server)
        },
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "wsmsg client protocol",
            "version": __version__,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "connect": {
                "host": "127.0.0.1:21005",
                "protocol": "ws",
                "description": "Connect, at the default of its listen",
                "security": [{"$ref": "#/components/securitySchemes/token"}],
            }
        },
        "channels": {"connect": _channel(messages)},
        "operations": {**_requests(), **_pushes()},
        "components": {
            "messages": messages,
            "schemas": schemas(_unique([*client, *server])),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "The user's token, in the handshake, or in hello.",
                }
            },
        },
        "x-errors": _errors(),
        "x-close-codes": _closes(),
    }


def _channel(messages: Iterable[str]) -> Any:
    header = {"type": "string"}
    offered = [JsonCodec.subprotocol, ProtobufCodec.subprotocol]
    return {
        "address": "/api/v1/connect/ws",
        "description": "The session of a device of a user.",
        "messages": {
            name: {"$ref": f"#/components/messages/{name}"} for name in messages
        },
        "bindings": {
            "ws": {
                "method": "GET",
                "headers": {
                    "type": "object",
                    "properties": {
                        "Authorization": {
                            **header,
                            "description": "Bearer and the token, unless hello has it.",
                        },
                        "User-ID": {
                            **header,
                            "description": "The number of the user, to be compared "
                            "with the token.",
                        },
                        "Sec-WebSocket-Protocol": {
                            **header,
                            "description": "One of these subprotocols, or several.",
                            "examples": offered,
                        },
                    },
                    "required": ["Sec-WebSocket-Protocol"],
                },
            }
        },
    }


def _requests() -> dict[str, Any]:
    operations = {}
    for name, answers in ANSWERS.items():
        operations[name] = _operation("receive", name)
        if answers:
            operations[name]["reply"] = {
                "channel": {"$ref": _CHANNEL},
                "messages": [_in_channel(answer) for answer in answers],
            }
    return operations


def _pushes() -> dict[str, Any]:
    return {f"push_{name}": _operation("send", name) for name in PUSHES}


def _operation(action: str, name: str) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": _CHANNEL},
        "messages": [_in_channel(name)],
    }


def _in_channel(name: str) -> Any:
    return {"$ref": f"{_CHANNEL}/messages/{name}"}


def _message(frame: Any, page: FramePage, *, from_server: bool = False) -> Any:
    payload = reference(frame.__name__)
    if from_server:
        payload = {"allOf": [payload, reference(BESIDE)]}
    message = {
        "name": _tag(frame),
        "title": frame.__name__,
        "summary": _first_sentence(page.paragraphs[0]),
        "description": "\n\n".join(page.paragraphs),
        "payload": payload,
        "examples": [{"payload": example} for example in page.examples],
    }
    for field in _CORRELATED:
        if field in frame.__struct_fields__:
            location = f"$message.payload#/{field}"
            message["correlationId"] = {"location": location}
            break
    return message


def _errors() -> Any:
    return [
        {
            "code": code,
            "description": _first_sentence(getdoc(error) or ""),
            "http_status": error.http_status,
            "close_code": None if error.close is None else int(error.close),
            "retry": error.retry,
        }
        for code, error in ERRORS.items()
    ]


def _closes() -> Any:
    return [
        {"code": int(c), "name": c.name, "reconnect": reconnect_allowed(c)}
        for c in sorted(Close)
    ]


def _tag(frame: Any) -> str:
    tag: str = frame.__struct_config__.tag
    return tag


def server_name(frame: Any) -> str:
    """
    Return the name of the message with a frame from the server.
    """
    return _SECOND if _tag(frame) == _BOTH else _tag(frame)


def _unique(frames: Sequence[type]) -> list[type]:
    return list(dict.fromkeys(frames))


def _first_sentence(text: str) -> str:
    plain = re.sub(r"[CL]\{([^{}]*)\}", r"\1", " ".join(text.split()))
    found = re.match(r".*?[.:](?=\s|$)", plain)
    return (found[0] if found else plain).rstrip(":")


class _Dumper(yaml.SafeDumper):
    """
    Writes YAML for people: no anchors, and long texts as blocks.
    """

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _block(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _block)


def text() -> str:
    """
    Return the text of the file.
    """
    head = "# Generated by make docs, which takes the texts from the protocol's page.\n"
    body: str = yaml.dump(
        document(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=88
    )
    return head + body
