"""Asking the server so that two answers can be compared to the byte."""

import json
from dataclasses import dataclass
from typing import Any

import httpx

# An answer names its request by this id, so that two answers have no other.
_REQUEST_ID = "the-walker-asks"


@dataclass(frozen=True)
class Reply:
    """An answer: its status, its headers but for the date and the length, and its bytes."""

    status: int
    headers: tuple[tuple[str, str], ...]
    content: bytes

    @property
    def body(self) -> Any:
        """The answer's JSON."""
        return json.loads(self.content)

    @property
    def codes(self) -> list[str]:
        """The codes of its errors."""
        return [error["extensions"]["code"] for error in self.body.get("errors", [])]

    def without(self, *sent: str) -> "Reply":
        """The same answer where it repeats nothing of what was sent."""
        content = self.content
        for echo in sent:
            content = content.replace(echo.encode(), b"<sent>")
        return Reply(self.status, self.headers, content)


class Caller:
    """One connection to the server, for whoever shows a token, or none."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=60, trust_env=False)

    def ask(self, token: str | None, document: str, variables: dict[str, Any]) -> Reply:
        """The answer, with a status that tells how it went."""
        headers = {"x-request-id": _REQUEST_ID, "accept": "application/graphql-response+json"}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        answer = self._client.post(
            "/graphql", json={"query": document, "variables": variables}, headers=headers
        )
        kept = [(k, v) for k, v in answer.headers.items() if k not in ("date", "content-length")]
        return Reply(answer.status_code, tuple(sorted(kept)), answer.content)

    def close(self) -> None:
        """Hangs up."""
        self._client.close()
