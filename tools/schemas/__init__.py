"""
The schemas that C{docs/} has as files, made from the code::

    python -m tools.schemas             write them
    python -m tools.schemas --check     list those that differ; exit status 1 if any

- L{openapi<tools.schemas.openapi>}: C{docs/openapi.json}, HTTP of both daemons
- L{asyncapi<tools.schemas.asyncapi>}: C{docs/asyncapi.yaml}, the client protocol
- L{payloads<tools.schemas.payloads>}: the JSON schemas of its frames
- L{pages<tools.schemas.pages>}: descriptions, from the protocol's page and proto
"""
