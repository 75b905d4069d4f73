"""Read the GraphQL request inside a body or a message, checked field by field."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request

from graph.server.client import is_on
from graph.server.errors import bad_request

# PostgreSQL's text holds every character but this one, which a document may also write as an escape.
NUL = "\x00"
_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u(?:0000|\{0+\})")


@dataclass(frozen=True)
class GraphQLRequest:
    """One operation to run; its document is not parsed yet."""

    query: str
    variables: dict[str, Any] | None = None
    operation_name: str | None = None
    extensions: dict[str, Any] | None = None

    @property
    def wants_cost(self) -> bool:
        """Return whether its own extensions ask for `extensions.cost` in its answer."""
        return self.extensions is not None and is_on(self.extensions.get("cost"))


async def read_request(request: Request, max_body_bytes: int) -> GraphQLRequest:
    """Read the request from an HTTP body. Raise RequestRefused if it is not JSON of that shape."""
    _check_content_type(request.headers.get("content-type", ""))
    body = await _read_body(request, max_body_bytes)
    if not body.strip():
        raise bad_request("The body is empty: send a JSON object with a query.")
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"The body is not JSON: {error}.") from None
    if isinstance(payload, list):
        raise bad_request("Batching is off: send one operation in a request.")
    return request_from(payload)


def request_from(payload: object) -> GraphQLRequest:
    """Check the shape of a request. Raise RequestRefused with status 400, naming what is wrong."""
    if not isinstance(payload, dict):
        raise bad_request("A request is a JSON object with a query.")
    query = payload.get("query")
    if query is None:
        raise bad_request("The request has no query.")
    if not isinstance(query, str):
        raise bad_request("The query must be a string.")
    if not query.strip():
        raise bad_request("The query is empty.")
    variables = _optional(payload, "variables", dict, "an object")
    if NUL in query or _ESCAPED_NUL.search(query) or _holds_nul(variables):
        raise bad_request("No text may hold the character U+0000.")
    return GraphQLRequest(
        query,
        variables=variables,
        operation_name=_optional(payload, "operationName", str, "a string"),
        extensions=_optional(payload, "extensions", dict, "an object"),
    )


def _optional(payload: dict[str, Any], name: str, kind: type, described: str) -> Any:
    value = payload.get(name)
    if value is not None and not isinstance(value, kind):
        raise bad_request(f"The {name} must be {described} or null.")
    return value


def _holds_nul(values: object) -> bool:
    """Return whether any text in the values, at whatever depth, contains the character U+0000."""
    rest = [values]
    while rest:
        value = rest.pop()
        if isinstance(value, dict):
            rest += [*value, *value.values()]
        elif isinstance(value, list):
            rest += value
        elif isinstance(value, str) and NUL in value:
            return True
    return False


def _check_content_type(header: str) -> None:
    media_type, *parameters = (part.strip().lower() for part in header.split(";"))
    if media_type != "application/json":
        raise bad_request("The content type must be application/json.", 415, accept_post="application/json")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "charset" and value.strip('"') not in ("utf-8", "utf8"):
            raise bad_request("The charset must be utf-8.", 415)


async def _read_body(request: Request, most: int) -> bytes:
    message = f"The body is too large: the limit is {most} bytes."
    length = request.headers.get("content-length", "")
    if length.isdecimal() and (len(length) > 18 or int(length) > most):
        raise bad_request(message, 413)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            raise bad_request(message, 413)
        chunks.append(chunk)
    return b"".join(chunks)


def read_query_string(parameters: Mapping[str, str]) -> GraphQLRequest:
    """Read the request from a query string, in which variables and extensions are JSON."""
    payload: dict[str, Any] = dict(parameters)
    for name in ("variables", "extensions"):
        if name in payload:
            try:
                payload[name] = orjson.loads(payload[name])
            except orjson.JSONDecodeError as error:
                raise bad_request(f"The {name} are not JSON: {error}.") from None
    return request_from(payload)
