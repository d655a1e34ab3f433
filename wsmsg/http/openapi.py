"""
The description of Message's HTTP API (OpenAPI 3.1), made of the routes that serve it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from inspect import getdoc
from typing import Any

import msgspec

from wsmsg import __version__
from wsmsg.http.access import AccessLevel
from wsmsg.http.forms import Problem, Refusal
from wsmsg.http.routes import Argument, Call, Reply, Route

_REFERENCE = "#/components/schemas/{name}"
_LINK = re.compile(r"[CL]\{([^{}]*)\}")


class OpenApi(msgspec.Struct, frozen=True):
    """
    A description of an API.
    """

    openapi: str
    info: dict[str, Any]
    paths: dict[str, Any]
    components: dict[str, Any]


class Description:
    """
    Describes routes, and itself among them.

    @ivar routes: all of them.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        own = Route(
            "GET",
            "openapi.json",
            self.tell,
            gives={200: OpenApi},
            opening=AccessLevel.ANYBODY,
        )
        self.routes = [*routes, own]
        self._document: OpenApi | None = None

    async def tell(self, call: Call) -> Reply:
        """
        Describe this API.
        """
        return Reply(200, self.document())

    def document(self) -> OpenApi:
        """
        The description.
        """
        if self._document is None:
            self._document = describe(self.routes)
        return self._document


def describe(routes: Sequence[Route]) -> OpenApi:
    """
    The description of these routes.
    """
    forms: set[Any] = {Problem, Refusal}
    for route in routes:
        forms |= {form for form in (route.body, *route.gives.values()) if form}
    ordered = sorted(forms, key=lambda form: form.__name__)
    schemas, components = msgspec.json.schema_components(
        ordered, ref_template=_REFERENCE
    )
    references = dict(zip(ordered, schemas, strict=True))
    named = {**_fields_of(ordered)}
    for name, schema in components.items():
        _explain(schema, named.get(name, {}))
    paths: dict[str, Any] = {}
    for route in routes:
        operations = paths.setdefault(route.path, {})
        operations[route.method.lower()] = _operation(route, references)
    security = {"key": {"type": "http", "scheme": "bearer"}}
    return OpenApi(
        openapi="3.1.0",
        info={
            "title": "wsmsg Message",
            "version": __version__,
            "description": "An instant-messaging backend that loses nothing.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        paths=paths,
        components={"schemas": components, "securitySchemes": security},
    )


def _operation(route: Route, references: Mapping[Any, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _name(route.answer),
        "summary": _text(getdoc(route.answer) or ""),
        "tags": ["deployed" if route.contract else "wsmsg"],
        "parameters": [
            *(_in_path(part) for part in re.findall(r"{(\w+)}", route.pattern)),
            *(_in_query(argument) for argument in route.query),
        ],
        "responses": {
            str(status): _response(status, form, references)
            for status, form in route.gives.items()
        },
    }
    if route.opening is not AccessLevel.ANYBODY:
        # Nothing is asked for where the settings have no keys.
        operation["security"] = [{"key": []}, {}]
    if route.body is not None:
        content = {"application/json": {"schema": references[route.body]}}
        operation["requestBody"] = {"required": True, "content": content}
    if route.contract:
        failure, kind = references[Refusal], "application/json"
    else:
        failure, kind = references[Problem], "application/problem+json"
    operation["responses"]["default"] = {
        "description": "It was refused.",
        "content": {kind: {"schema": failure}},
    }
    return operation


def _name(answer: Callable[..., Any]) -> str:
    owner = type(getattr(answer, "__self__", None)).__name__.removesuffix("Calls")
    return f"{owner.lower()}_{answer.__name__}"


def _in_path(name: str) -> dict[str, Any]:
    number = name in ("user", "group")
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": _schema(number=number, least=1),
    }


def _in_query(argument: Argument) -> dict[str, Any]:
    return {
        "name": argument.name,
        "in": "query",
        "required": argument.required,
        "description": _text(argument.says),
        "schema": _schema(number=argument.number, least=0),
    }


def _schema(*, number: bool, least: int) -> dict[str, Any]:
    if not number:
        return {"type": "string"}
    return {"type": "integer", "format": "int64", "minimum": least}


def _response(status: int, form: Any, references: Mapping[Any, Any]) -> dict[str, Any]:
    response: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if form is not None:
        response["content"] = {"application/json": {"schema": references[form]}}
    return response


def _explain(schema: dict[str, Any], names: Mapping[str, str]) -> None:
    """
    Give what a class says of its fields to the fields.
    """
    text, _, fields = schema.get("description", "").partition("@ivar ")
    schema["description"] = _text(text)
    for field in f"@ivar {fields}".split("@ivar ")[1:]:
        name, _, says = field.partition(": ")
        name = names.get(name, name)
        if name in schema.get("properties", {}):
            schema["properties"][name]["description"] = _text(says)


def _fields_of(forms: Sequence[Any]) -> dict[str, dict[str, str]]:
    """
    By class, how its fields are spelled in JSON.
    """
    spelled: dict[str, dict[str, str]] = {}
    waiting = list(forms)
    while waiting:
        form = waiting.pop()
        for each in (form, *form.__mro__[1:]):
            if issubclass(each, msgspec.Struct) and each is not msgspec.Struct:
                fields = msgspec.structs.fields(each)
                spelled[each.__name__] = {f.name: f.encode_name for f in fields}
    return spelled


def _text(text: str) -> str:
    return _LINK.sub(r"\1", " ".join(text.split()))
