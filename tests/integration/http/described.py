"""
Answers of the daemons, held against C{docs/openapi.json}.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from openapi_schema_validator import OAS31Validator

from tests.conformance.plain_http import Answer

_FILE = Path(__file__).parent.parent.parent.parent / "docs" / "openapi.json"


def problems(method: str, path: str, answer: Answer) -> list[str]:
    """
    Return what an answer has that the description of its operation does not say, or
    lacks; nothing for a request of which the description knows no operation.

    @param path: with its query.
    """
    described = _described()
    operation = _operation(described, method, path.partition("?")[0])
    if operation is None:
        return []
    responses = operation["responses"]
    response = responses.get(str(answer.status))
    if response is None:
        if answer.status < 400:
            return [f"status {answer.status} is not described"]
        response = responses["default"]
    if "content" not in response:
        return [f"a body: {answer.body!r}"] if answer.body else []
    ((kind, media),) = response["content"].items()
    if answer.headers["content-type"].partition(";")[0] != kind:
        return [f"content type {answer.headers['content-type']}, not {kind}"]
    if not kind.endswith("json"):
        return []
    form = OAS31Validator({**media["schema"], **described})
    return [error.message for error in form.iter_errors(answer.document)]


@cache
def _described() -> dict[str, Any]:
    """
    Return the description, in which no object may have members that are not described.
    """
    document: dict[str, Any] = copy.deepcopy(json.loads(_FILE.read_text("utf-8")))
    for schema in document["components"]["schemas"].values():
        if schema.get("properties"):
            schema.setdefault("additionalProperties", False)
    return document


def _operation(
    described: Mapping[str, Any], method: str, path: str
) -> dict[str, Any] | None:
    parts = path.split("/")
    found = [o for o in _matching(described["paths"], parts) if method.lower() in o]
    return found[0][method.lower()] if found else None


def _matching(
    paths: Mapping[str, Any], parts: list[str]
) -> Iterator[dict[str, dict[str, Any]]]:
    # A part in braces matches any one part, and one without them is preferred.
    for pattern, operations in sorted(paths.items(), key=lambda p: p[0].count("{")):
        wanted = pattern.split("/")
        if len(wanted) == len(parts) and all(
            want.startswith("{") or want == part
            for want, part in zip(wanted, parts, strict=True)
        ):
            yield operations
