"""A browser's tab with GraphiQL in it, driven as somebody drives it who types and looks."""

import json
import time
from typing import Any

from playwright.sync_api import Page, expect

from tests.waiting import PATIENCE

_EDITORS = {
    "query": ".graphiql-query-editor",
    "variables": ".graphiql-editor-tool",
    "result": ".result-window",
}
# Nothing says when a subscription is under way; but a server that has answered so many queries since it was
# sent has begun it too, however busy the machine is.
_BEGUN = """async () => {
  const { accessToken } = JSON.parse(sessionStorage.getItem('graphfolio.login'));
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${accessToken}` };
  for (let n = 0; n < 20; n++) {
    await (await fetch('/graphql', { method: 'POST', headers, body: '{"query": "{ me { id } }"}' })).text();
  }
}"""


class Tab:
    """One tab. `frames` are the messages that its WebSockets have received."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.frames: list[Any] = []
        page.on(
            "websocket",
            lambda socket: socket.on("framereceived", lambda frame: self.frames.append(json.loads(frame))),
        )
        page.goto(f"{url}/graphiql")

    def log_in(self, username: str, password: str) -> None:
        self.page.fill("#username", username)
        self.page.fill("#password", password)
        self.page.click("#log-in-button")
        expect(self.page.locator("#viewer")).to_have_text(username)

    def press(self, query: str, **variables: Any) -> None:
        """Puts an operation and its variables in the editors, and presses the button."""
        self._write("query", query)
        self._write("variables", json.dumps(variables, indent=2))
        self.page.click("button.graphiql-execute-button")

    def run(self, query: str, **variables: Any) -> Any:
        """The data that the tab shows once the operation is answered."""
        # The explorer asks for the schema when it likes, which is none of the answers.
        with self.page.expect_response(
            lambda r: query[:40] in (r.request.post_data_json or {})["query"]
        ) as told:
            self.press(query, **variables)
        answer = told.value.json()
        self.until_shown(answer)
        return answer["data"]

    def follow(self, subscription: str, **variables: Any) -> None:
        """Starts a subscription, and waits until the server has taken it up."""
        self.press(subscription, **variables)
        expect(self.page.get_by_label("Stop query (Ctrl-Enter)")).to_be_visible()
        while {"type": "connection_ack"} not in self.frames:
            self.page.wait_for_timeout(20)
        # Only changes after the start are sent.
        self.page.evaluate(_BEGUN)

    def until_shown(self, result: Any, seconds: float = PATIENCE) -> None:
        """Waits until the tab shows exactly this, but for what it says about the cost."""
        deadline = time.monotonic() + seconds
        while _plain(self.shown) != _plain(result):
            assert time.monotonic() < deadline, (self.shown, result)
            self.page.wait_for_timeout(20)

    def event(self, seconds: float = PATIENCE) -> Any:
        """The data of the newest event of the subscription, once there is one and the tab shows it."""
        deadline = time.monotonic() + seconds
        while self.frames[-1]["type"] != "next":
            assert time.monotonic() < deadline, self.frames
            self.page.wait_for_timeout(20)
        payload = self.frames[-1]["payload"]
        self.until_shown(payload)
        return payload["data"]

    @property
    def shown(self) -> Any:
        """The result that stands there; None where there is none."""
        text = self.page.evaluate(
            f"document.querySelector('{_EDITORS['result']} .CodeMirror').CodeMirror.getValue()"
        )
        return json.loads(text) if text.strip().startswith("{") else None

    def _write(self, editor: str, text: str) -> None:
        selector = f"{_EDITORS[editor]} .CodeMirror"
        self.page.evaluate(
            "([selector, text]) => document.querySelector(selector).CodeMirror.setValue(text)",
            [selector, text],
        )


def _plain(result: Any) -> Any:
    return {name: part for name, part in (result or {}).items() if name != "extensions"}
