"""
Descriptions of frames, from C{docs/reference/protocol.md}, and of their fields, from
the comments in C{client.proto}.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent.parent
PROTOCOL = ROOT / "docs" / "reference" / "protocol.md"
_PROTOS = ROOT / "protos"

_SECTION = re.compile(r"^### `(\w+)`( \(from the server\))?\n(.*?)(?=^##)", re.M | re.S)
_EXAMPLE = re.compile(r"^```json\n(.*?)^```$", re.M | re.S)
_LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")
# The numbers of the fields of FileDescriptorProto and DescriptorProto in a path.
_MESSAGE_TYPE, _FIELD = 4, 2


@attrs.frozen
class FramePage:
    """
    The part of the protocol's page about a frame.

    @ivar paragraphs: its text, without links.
    @ivar examples: its frames in JSON.
    """

    paragraphs: tuple[str, ...]
    examples: tuple[Any, ...]


def frame_pages() -> Mapping[tuple[str, bool], FramePage]:
    """
    Return the part about each frame, by its name, and by whether it is the second of
    two with this name, the one from the server.
    """
    found = {}
    for name, second, body in _SECTION.findall(PROTOCOL.read_text(encoding="utf-8")):
        prose = body.partition("```json")[0].strip().split("\n\n")
        found[name, bool(second)] = FramePage(
            tuple(_LINK.sub(r"\1", " ".join(p.split())) for p in prose),
            tuple(json.loads(example) for example in _EXAMPLE.findall(body)),
        )
    return found


def field_comments() -> Mapping[tuple[str, str], str]:
    """
    Return the comments of fields, by message and field.
    """
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "client.binpb"
        arguments = ["protoc", f"-I{_PROTOS}", "--include_source_info"]
        arguments += [f"--descriptor_set_out={made}", "wsmsg/protocol/client.proto"]
        if protoc.main(arguments) != 0:
            raise RuntimeError("protoc failed")
        [file] = FileDescriptorSet.FromString(made.read_bytes()).file
    comments = {}
    for location in file.source_code_info.location:
        text = location.leading_comments or location.trailing_comments
        match list(location.path):
            case [first, message, second, field] if (first, second) == (
                _MESSAGE_TYPE,
                _FIELD,
            ):
                owner = file.message_type[message]
                comments[owner.name, owner.field[field].name] = " ".join(text.split())
    return {names: text for names, text in comments.items() if text}
