"""Serve the shapes as cheaply as Python can: a bare ASGI application and one statement over asyncpg for each.

The token of each request is checked, and remembered by its digest; a document is known by its text.

    python -m bench.trees.limit PORT

The database's address is in LIMIT_URL, and the key of the tokens in LIMIT_KEY.
"""

import datetime as dt
import hashlib
import hmac
import os
import sys
import time
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import uvicorn

from bench.trees.shapes import STANDARD, documents
from bench.trees.statements import STATEMENTS
from db.sessions import APP_ROLE

TYPENAME = b'{"data":{"__typename":"Query"}}'

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Login = tuple[str, UUID, float]


class Limit:
    """The application."""

    def __init__(self, url: str, secret: bytes) -> None:
        self._url = url
        self._secret = secret
        self._logins: dict[bytes, Login] = {}
        self._keys = {text: key for key, text in documents(STANDARD).items()}
        self._pool: Any = None

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request, or open the pool when the server starts."""
        if scope["type"] == "lifespan":
            await receive()
            settings = {"role": APP_ROLE, "jit": "off", "timezone": "UTC"}
            # asyncpg would reset a connection after each statement, which costs a round trip.
            self._pool = await asyncpg.create_pool(
                self._url, max_size=int(os.environ["LIMIT_POOL"]), server_settings=settings, reset=_keep
            )
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        message = await receive()
        body = message["body"]
        while message.get("more_body"):
            message = await receive()
            body += message["body"]
        login = self.login(next(value for name, value in scope["headers"] if name == b"authorization"))
        content = await self._answer(login, orjson.loads(body))
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _answer(self, login: Login, given: dict[str, Any]) -> bytes:
        key = self._keys[given["query"]]
        if key == "T":
            return TYPENAME
        more = _parameters(key, given["variables"]) if key in "DW" else ()
        async with self._pool.acquire() as connection:
            text: str = await connection.fetchval(STATEMENTS[key], login[0], login[1], *more)
        return text.encode()

    def login(self, header: bytes) -> Login:
        """Return whose token this is, with its login and its expiry. Raise PermissionError."""
        digest = hashlib.sha256(header).digest()
        login = self._logins.get(digest)
        if login is None:
            login = self._logins[digest] = self._verified(header.removeprefix(b"Bearer "))
        if login[2] < time.time():
            raise PermissionError("the token has expired")
        return login

    def _verified(self, token: bytes) -> Login:
        signed, _, signature = token.rpartition(b".")
        if not hmac.compare_digest(_decoded(signature), hmac.digest(self._secret, signed, "sha256")):
            raise PermissionError("the signature is wrong")
        claims = orjson.loads(_decoded(signed.partition(b".")[2]))
        return claims["sub"], UUID(claims["sid"]), claims["exp"]


def _decoded(text: bytes) -> bytes:
    return urlsafe_b64decode(text + b"=" * (-len(text) % 4))


def _parameters(key: str, variables: dict[str, str]) -> list[object]:
    if key == "W":
        return [_keys(cursor)[0] for cursor in variables.values()]
    id = UUID(urlsafe_b64decode(variables["id"]).decode().partition(":")[2])
    at, entry = _keys(variables["after"])
    return [id, dt.datetime.fromisoformat(at), UUID(entry)]


def _keys(cursor: str) -> list[str]:
    keys: list[str] = orjson.loads(urlsafe_b64decode(cursor))
    return keys[1:]


async def _keep(connection: object) -> None:
    """Leave the connection as it is."""


if __name__ == "__main__":
    app = Limit(os.environ["LIMIT_URL"], bytes.fromhex(os.environ["LIMIT_KEY"]))
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False, lifespan="on")
