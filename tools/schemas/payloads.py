"""
JSON schemas of the frames, from the classes that the JSON codec decodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from tools.schemas.pages import field_comments
from wsmsg.errors import ERRORS

#: The component with what the server adds to a frame.
BESIDE = "NamesBeside"

_REFERENCE = "#/components/schemas/{name}"
_BESIDE_SCHEMA = {
    "type": "object",
    "description": "Names of users, beside the fields of a frame from the server.",
    "properties": {
        "names": {
            "type": "object",
            "description": "The names of the users whom the frame mentions, by number; "
            "those without a name are missing.",
            "additionalProperties": {"type": "string"},
        }
    },
}
# The classes whose message in client.proto has another name.
_MESSAGES = {"TokenExpiring": "Expiring"}


def reference(name: str) -> Any:
    """
    Return a reference to the schema of a class.
    """
    return {"$ref": _REFERENCE.format(name=name)}


def schemas(frames: Iterable[type]) -> dict[str, Any]:
    """
    Return the schemas of frames and of what they consist of, by the name of the class.
    """
    _, components = msgspec.json.schema_components(frames, ref_template=_REFERENCE)
    comments = field_comments()
    for name, schema in components.items():
        # The page of the protocol has the description, for authors of clients.
        schema.pop("description", None)
        schema["properties"] = {
            field: _with_comment(_as_sent(inner), comments, name, field)
            for field, inner in schema["properties"].items()
        }
    for name in ("Rejected", "Error"):
        code = components[name]["properties"]["code"]
        code["description"] = "A name of x-errors; later versions may have more."
        code["examples"] = list(ERRORS)
    return {**dict(sorted(components.items())), BESIDE: _BESIDE_SCHEMA}


def _as_sent(schema: Any) -> Any:
    """
    Return the schema of a field with its integers as both sides may write them: as
    numbers, or as strings of digits.
    """
    match schema:
        case {"type": "integer", "maximum": _}:
            either = {"type": ["integer", "string"], "format": "int64"}
            return {**schema, **either, "pattern": "^-?[0-9]+$"}
        case {"type": "array", "items": items}:
            return {**schema, "items": _as_sent(items)}
    return schema


def _with_comment(
    schema: Any, comments: Mapping[tuple[str, str], str], name: str, field: str
) -> Any:
    comment = comments.get((_MESSAGES.get(name, name), field))
    if comment is None or "$ref" in schema:
        return schema
    return {**schema, "description": comment}
