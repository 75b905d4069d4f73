"""The explorer's page: what is served, and what a real browser makes of it."""

import shutil
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from graph.graphiql import OUR_FILES, PAGE_POLICY, WHEEL_FILES
from tests.graph.server.served import Served, serve_tiny
from tests.http import loopback
from tests.waiting import PATIENCE

CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serve_tiny() as tiny:
        yield tiny


def test_the_page_names_only_assets_that_are_served(served: Served) -> None:
    page = loopback.get(served.url + "/graphiql")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"] == PAGE_POLICY
    assert "http:" not in page.text
    assert "https:" not in page.text
    named = {part.split('"')[0] for part in page.text.split("/graphiql/assets/")[1:]}
    assert named == {*WHEEL_FILES, "page.css", "page.js"}
    for name in (*OUR_FILES, *WHEEL_FILES):
        asset = loopback.get(f"{served.url}/graphiql/assets/{name}")
        assert asset.status_code == 200
        assert len(asset.content) > 100
        assert asset.headers["x-content-type-options"] == "nosniff"
        assert asset.headers["cache-control"] == (
            "no-cache" if name in OUR_FILES else "public, max-age=86400"
        )


@pytest.mark.parametrize("name", ["style.css", "__init__.py", "..%2f__init__.py", "index.html", "page.js%00"])
def test_no_other_file_is_served(served: Served, name: str) -> None:
    answer = loopback.get(f"{served.url}/graphiql/assets/{name}")
    assert answer.status_code == 404
    assert answer.json() == {"errors": [{"message": "Not Found.", "extensions": {"code": "BAD_USER_INPUT"}}]}


@pytest.fixture
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not on the path: the explorer is not tried in a browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


def run(page: Page, query: str) -> None:
    """Put a query in the editor and press the button, as one who types would."""
    set_value = (
        "query => document.querySelector('.graphiql-query-editor .CodeMirror').CodeMirror.setValue(query)"
    )
    page.evaluate(set_value, query)
    page.click("button.graphiql-execute-button")


def until_true(page: Page, expression: str) -> None:
    """Wait until it is; the page's policy lets nobody wait in the page itself."""
    deadline = time.monotonic() + PATIENCE
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, expression
        page.wait_for_timeout(20)


@pytest.mark.browser
def test_a_browser_logs_in_and_runs_operations_with_no_other_host(served: Served, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(served.url + "/")
    query = page.locator(".graphiql-query-editor .CodeMirror-code")
    expect(query).to_contain_text("query Tree($positions: Int = 50, $transactions: Int = 20)")
    expect(page.locator(".graphiql-editor-tool .CodeMirror-code").first).to_contain_text('"positions": 50')

    page.fill("#username", "viewer")
    page.fill("#password", "wrong")
    page.click("#log-in-button")
    expect(page.locator("#message")).to_have_text("Wrong password.")
    page.fill("#password", "secret")
    page.click("#log-in-button")
    expect(page.locator("#logged-in")).to_contain_text("Logged in as viewer")
    expect(page.locator("#message")).to_have_text("")
    expect(page.locator("#password")).to_have_value("")

    result = page.locator(".result-window")
    run(page, "{ me { username positions { nodes { symbol } } } }")
    expect(result).to_contain_text('"symbol": "AAPL"')
    expect(result).to_contain_text('"maximumCost": 500000')
    run(page, "subscription { count(to: 3) }")
    expect(result).to_contain_text('"count": 3')
    # Over HTTP and over a WebSocket the explorer asks for what an answer was counted as.
    expect(result).to_contain_text('"maximumCost": 500000')
    assert [context.token for context in served.opened if context.token][-1] == "good-1"

    # The explorer keeps its tabs a moment after the last change.
    kept = "(sessionStorage.getItem('graphiql:tabState') ?? '').includes('count(to: 3)')"
    until_true(page, kept)
    page.reload()
    expect(page.locator("#viewer")).to_have_text("viewer")
    expect(query).to_contain_text("subscription { count(to: 3) }")
    page.click("#log-out-button")
    expect(page.locator("#log-in")).to_be_visible()
    expect(page.locator("#logged-in")).to_be_hidden()
    assert page.evaluate("sessionStorage.getItem('graphfolio.login')") is None
    assert page.evaluate("localStorage.length") == 0

    hosts = {url.split("/")[2] for url in asked if not url.startswith("data:")}
    assert hosts == {served.url.removeprefix("http://")}
    assert complaints == []


@pytest.mark.browser
def test_the_page_refreshes_its_login_before_it_ends(served: Served, browser: Browser) -> None:
    page = browser.new_page()
    page.clock.install()
    page.goto(served.url + "/graphiql")
    expect(page.locator(".graphiql-query-editor .CodeMirror-code")).to_contain_text("query Tree")
    page.fill("#username", "viewer")
    page.fill("#password", "secret")
    page.click("#log-in-button")
    expect(page.locator("#viewer")).to_have_text("viewer")
    kept = "JSON.parse(sessionStorage.getItem('graphfolio.login')).accessToken"
    assert page.evaluate(kept) == "good-1"
    page.clock.fast_forward("08:50")
    assert page.evaluate(kept) == "good-1"
    with page.expect_response("**/graphql"):
        page.clock.fast_forward("00:20")
    until_true(page, f'{kept} === "good-2"')
    expect(page.locator("#viewer")).to_have_text("viewer")
