"""Choose the media type of an answer from the accept header."""

from graph.server.errors import bad_request

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"
EVENT_STREAM = "text/event-stream"
# A range with a star means plain JSON, as the draft of GraphQL over HTTP requires for older clients.
_OFFERED = {
    GRAPHQL_JSON: GRAPHQL_JSON,
    JSON: JSON,
    EVENT_STREAM: EVENT_STREAM,
    "application/*": JSON,
    "text/*": EVENT_STREAM,
    "*/*": JSON,
}


def negotiate(accept: str | None) -> str:
    """Return the media type that the client prefers, the first of equals.

    Raise RequestRefused with status 406 if it accepts none of those available.
    """
    if not accept or not accept.strip():
        return JSON
    best, best_quality = "", 0.0
    for range_ in accept.split(","):
        name, *parameters = (part.strip().lower() for part in range_.split(";"))
        quality = _quality(parameters)
        if name in _OFFERED and quality > best_quality:
            best, best_quality = _OFFERED[name], quality
    if not best:
        raise bad_request(f"The answer can be {GRAPHQL_JSON}, {JSON} or {EVENT_STREAM}.", 406)
    return best


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
