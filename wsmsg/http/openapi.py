"""
The OpenAPI 3.1 description of an HTTP API, generated from the routes that serve it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from inspect import getdoc
from typing import Any

import msgspec

from wsmsg import __version__
from wsmsg.auth.scopes import GRANTED
from wsmsg.http.access import AccessLevel
from wsmsg.http.errors import PlainError, Problem
from wsmsg.http.routes import Argument, Call, MoreRoutes, Reply, Route

_REFERENCE = "#/components/schemas/{name}"
_NAMES = {
    "type": "object",
    "additionalProperties": {"type": "string"},
    "description": (
        "The names of the users whom the answer mentions, by number; missing if none "
        "of them has one. Only with users.names."
    ),
}
_NAME = {"type": "string", "minLength": 1, "maxLength": 128}
_LINK = re.compile(r"[CL]\{([^{}]*)\}")


class OpenApi(msgspec.Struct, frozen=True):
    """
    An OpenAPI document.
    """

    openapi: str
    info: dict[str, Any]
    paths: dict[str, Any]
    components: dict[str, Any]


class Description:
    """
    Describes routes, and adds a route for the description itself.

    @param more: as for L{wsmsg.http.resource.Api}.
    @ivar routes: the routes without those of C{more}, this one included.
    """

    def __init__(self, routes: Sequence[Route], more: MoreRoutes = tuple) -> None:
        self._more = more
        own = Route(
            "GET openapi.json", self.openapi, {200: OpenApi}, access=AccessLevel.ANYBODY
        )
        self.routes = [*routes, own]
        self._document: OpenApi | None = None

    async def openapi(self, call: Call) -> Reply:
        """
        Describe this API.
        """
        if self._document is None:
            self._document = describe([*self.routes, *self._more()])
        return Reply(200, self._document)


def describe(routes: Sequence[Route]) -> OpenApi:
    """
    Describe routes.
    """
    forms: set[Any] = {Problem, PlainError}
    for route in routes:
        forms |= {form for form in (route.body, *route.responses.values()) if form}
    ordered = sorted(forms, key=lambda form: form.__name__)
    schemas, components = msgspec.json.schema_components(
        ordered, ref_template=_REFERENCE
    )
    references = dict(zip(ordered, schemas, strict=True))
    names = _json_names(ordered)
    for name, schema in components.items():
        _explain(schema, names.get(name, {}))
    for route in routes:
        for form in route.responses.values() if route.has_names else ():
            if form is not None:
                components[form.__name__]["properties"].setdefault("names", _NAMES)
    paths: dict[str, Any] = {}
    for route in routes:
        operations = paths.setdefault(route.path, {})
        operations[route.method.lower()] = _operation(route, references)
    scopes = "; ".join(f"{scope.value}: {scope.text}" for scope in GRANTED)
    security = {
        "key": {
            "type": "http",
            "scheme": "bearer",
            "description": f"A key of wsmsg key new. Its scopes: {scopes}.",
        },
        "token": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The token of a user, for calls about that user.",
        },
    }
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
        "tags": [route.conventions.tag],
        "parameters": [
            *(_in_path(part, route) for part in re.findall(r"{(\w+)}", route.path)),
            *(_in_query(argument, route) for argument in route.query),
        ],
        "responses": {
            str(status): _response(status, form, references)
            for status, form in route.responses.items()
        },
    }
    if route.scope is not None:
        security: list[dict[str, list[str]]] = [{"key": [route.scope.value]}]
        if route.access is AccessLevel.USERS:
            security.append({"token": []})
        # Without a file of keys every caller is trusted.
        operation["security"] = [*security, {}]
    if route.body is not None:
        content = {"application/json": {"schema": references[route.body]}}
        operation["requestBody"] = {"required": True, "content": content}
    error = route.conventions.error
    kind = error.content_type.partition(";")[0]
    operation["responses"]["default"] = {
        "description": "The request failed.",
        "content": {kind: {"schema": references[error]}},
    }
    return operation


def _name(answer: Callable[..., Any]) -> str:
    owner = getattr(answer, "__self__", None)
    if owner is None:
        return answer.__name__
    return f"{type(owner).__name__.removesuffix('Calls').lower()}_{answer.__name__}"


def _in_path(name: str, route: Route) -> dict[str, Any]:
    described: dict[str, Any] = {"name": name, "in": "path", "required": True}
    if name in route.takes_names:
        described["description"] = f"The number of a {name}, or its name."
        return {**described, "schema": _NAME}
    return {**described, "schema": _schema(number=name in ("user", "group"), least=1)}


def _in_query(argument: Argument, route: Route) -> dict[str, Any]:
    named = argument.number and argument.name in route.takes_names
    schema = _NAME if named else _schema(number=argument.number, least=0)
    return {
        "name": argument.name,
        "in": "query",
        "required": argument.required,
        "description": _text(argument.description),
        "schema": schema,
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
    Move the descriptions of fields from the docstring of a class to the fields.
    """
    text, _, fields = schema.get("description", "").partition("@ivar ")
    schema["description"] = _text(text)
    for field in f"@ivar {fields}".split("@ivar ")[1:]:
        name, _, description = field.partition(": ")
        name = names.get(name, name)
        if name in schema.get("properties", {}):
            schema["properties"][name]["description"] = _text(description)


def _json_names(forms: Sequence[Any]) -> dict[str, dict[str, str]]:
    """
    Return the names of fields in JSON, for each class.
    """
    names: dict[str, dict[str, str]] = {}
    waiting = list(forms)
    while waiting:
        form = waiting.pop()
        for each in (form, *form.__mro__[1:]):
            if issubclass(each, msgspec.Struct) and each is not msgspec.Struct:
                fields = msgspec.structs.fields(each)
                names[each.__name__] = {f.name: f.encode_name for f in fields}
    return names


def _text(text: str) -> str:
    return _LINK.sub(r"\1", " ".join(text.split()))
