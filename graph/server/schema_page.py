"""The schema as text, for code generators and for readers."""

import hashlib
from collections.abc import Awaitable, Callable

import strawberry
from starlette.requests import Request
from starlette.responses import Response

MEDIA_TYPE = "text/plain; charset=utf-8"


def schema_page(schema: strawberry.Schema) -> Callable[[Request], Awaitable[Response]]:
    """Return the page that serves the schema to anybody, as introspection does.

    Its ETag is a digest of the text: a client that has it already is answered with 304 (Not Modified).
    """
    text = f"{schema.as_str()}\n".encode()
    tag = f'"{hashlib.sha256(text).hexdigest()}"'
    headers = {"etag": tag, "cache-control": "no-cache"}

    async def page(request: Request) -> Response:
        if _knows(request.headers.get("if-none-match"), tag):
            return Response(status_code=304, headers=headers)
        return Response(text, headers=headers, media_type=MEDIA_TYPE)

    return page


def _knows(tags: str | None, tag: str) -> bool:
    """Return whether a request's tags have this one, weak or not (RFC 9110, section 13.1.2)."""
    known = [each.strip().removeprefix("W/") for each in (tags or "").split(",")]
    return tag in known or known == ["*"]
