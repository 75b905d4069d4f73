"""The explorer: our own page around the GraphiQL of an installed wheel, with no other host involved."""

import functools
import importlib.util
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_WHEEL = "graphene_django_graphiql_static"
_HERE = Path(__file__).parent
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".graphql": "text/plain; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}
OUR_FILES = ("page.css", "page.js", "tree.graphql")
# Exactly what the page loads: the wheel's explorer plug-in and its fetch for old browsers are not.
WHEEL_FILES = (
    "graphiql.min.css",
    "graphiql.min.js",
    "graphql-ws.min.js",
    "react-dom.production.min.js",
    "react.production.min.js",
)
# CodeMirror and React set styles on elements, and the fonts stand in the style sheet as data.
PAGE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)


def explorer(path: str) -> list[Route]:
    """List the routes of the page and of its assets."""
    return [Route(path, _page), Route(f"{path}/assets/{{name}}", _asset)]


async def _page(request: Request) -> Response:
    headers = {"content-security-policy": PAGE_POLICY, "cache-control": "no-cache"}
    return Response(_read(_HERE / "index.html"), headers=headers, media_type=_TYPES[".html"])


async def _asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name in OUR_FILES:
        path, cached = _HERE / name, "no-cache"
    elif name in WHEEL_FILES:
        path, cached = _wheel_files() / name, "public, max-age=86400"
    else:
        raise HTTPException(404)
    return Response(_read(path), headers={"cache-control": cached}, media_type=_TYPES[path.suffix])


@functools.cache
def _read(path: Path) -> bytes:
    return path.read_bytes()


@functools.cache
def _wheel_files() -> Path:
    """Find the wheel's static files without importing it, for it would import Django."""
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"The package {_WHEEL} is not installed.")
    return Path(spec.origin).parent / "static" / _WHEEL
