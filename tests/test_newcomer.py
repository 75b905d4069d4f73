"""What a newcomer does: the README's own commands and queries, and GraphiQL in a real browser.

The demo is started as the README says, in a data folder of its own and on a free port; everything here asks
that one server.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect, sync_playwright

from settings import Settings
from tests.alerts_in_tabs import FOLLOW, told, watch
from tests.graph.server.explorer import Tab
from tests.graph.server.test_explorer import ARGUMENTS, CHROMIUM
from tests.http import loopback
from tests.trading_in_tabs import trade_and_watch
from tests.waiting import PATIENCE, soon

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
ARTIFACTS = ROOT / "test-artifacts"
LOGIN = "mutation($input: LoginInput!) { login(input: $input) { accessToken userErrors { code } } }"


def shown(language: str) -> list[str]:
    """The README's fenced blocks of a language."""
    fenced = README.split("```")[1::2]
    return [text for kind, text in (block.split("\n", 1) for block in fenced) if kind == language]


@dataclass
class Demo:
    """A running demo, what it printed, and how long it took to answer, in seconds."""

    url: str
    process: subprocess.Popen[bytes]
    printed: Path
    seconds: float


def command(shown_command: str) -> list[str]:
    """A command of the README with the interpreter that runs the tests, which run.py may hand over to."""
    words = shown_command.split()
    assert words[:2] == ["python3", "run.py"]
    # Started by run.py, the tests run in the environment that it made; elsewhere run.py would make another.
    made = (ROOT / ".venv" / "run.made").exists()
    return [sys.executable, str(ROOT / ("run.py" if made else "graphfolio.py")), *words[2:]]


def environment(data_dir: Path, port: int) -> dict[str, str]:
    """Only what a test must choose: where the data is, the port, and prices that hold still."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GRAPHFOLIO_")}
    kept.pop("DATABASE_URL", None)
    return {
        **kept,
        "GRAPHFOLIO_DATA_DIR": str(data_dir),
        "GRAPHFOLIO_PORT": str(port),
        "GRAPHFOLIO_FEED": "none",
    }


def start(data_dir: Path) -> Demo:
    """Starts the demo and waits until it is ready."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
    printed = data_dir.parent / f"printed-{uuid.uuid4().hex}.txt"
    begun = time.monotonic()
    with printed.open("wb") as output:
        process = subprocess.Popen(
            command("python3 run.py demo"),
            cwd=ROOT,
            env=environment(data_dir, port),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    while True:
        assert process.poll() is None, printed.read_text()
        assert time.monotonic() - begun < 120, printed.read_text()
        try:
            if loopback.get(f"{url}/ready").status_code == 200:
                return Demo(url, process, printed, time.monotonic() - begun)
        except httpx.TransportError:
            time.sleep(0.05)


def stop(demo: Demo) -> None:
    """Ends it as Ctrl-C does."""
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(PATIENCE) == 0, demo.printed.read_text()


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("a newcomer's") / "data"


@pytest.fixture(scope="module")
def demo(data_dir: Path) -> Iterator[Demo]:
    started = start(data_dir)
    yield started
    if started.process.poll() is None:
        stop(started)


@pytest.fixture(scope="module")
def password(demo: Demo) -> str:
    found = re.search(r"^Login +demo, password (\S+)$", demo.printed.read_text(), re.MULTILINE)
    assert found, demo.printed.read_text()
    return found[1]


@pytest.fixture(scope="module")
def token(demo: Demo, password: str) -> str:
    given = {"username": "demo", "password": password}
    answer = loopback.post(f"{demo.url}/graphql", json={"query": LOGIN, "variables": {"input": given}}).json()
    assert answer["data"]["login"]["userErrors"] == []
    return str(answer["data"]["login"]["accessToken"])


def ask(demo: Demo, token: str, query: str, **variables: Any) -> Any:
    """The data of an answer without errors."""
    answer = loopback.post(
        f"{demo.url}/graphql",
        json={"query": query, "variables": variables},
        headers={"authorization": f"Bearer {token}"},
        timeout=30,
    ).json()
    assert "errors" not in answer, answer["errors"]
    return answer["data"]


def test_the_demo_says_where_it_is_and_how_to_log_in(demo: Demo, password: str) -> None:
    printed = demo.printed.read_text()
    assert f"GraphiQL   {demo.url}/graphiql\n" in printed
    assert len(password) >= 16
    assert (ROOT / "graph" / "graphiql" / "tree.graphql").read_text() in printed
    assert "Traceback" not in printed


def test_the_tree_of_the_readme(demo: Demo, token: str) -> None:
    tree = shown("graphql")[0]
    assert tree in (ROOT / "graph" / "graphiql" / "tree.graphql").read_text()
    me = ask(demo, token, tree)["me"]
    accounts = me["accounts"]["nodes"]
    portfolios = [portfolio for account in accounts for portfolio in account["portfolios"]["nodes"]]
    assert me["username"] == "demo"
    assert me["summary"]["accountCount"] == len(accounts) == 3
    assert me["summary"]["portfolioCount"] == len(portfolios)
    assert len({portfolio["strategy"] for portfolio in portfolios}) == len(portfolios) >= 5
    for portfolio in portfolios:
        positions = portfolio["positions"]["nodes"]
        assert positions
        for position in positions:
            value = Decimal(position["quantity"]) * Decimal(position["currentPrice"])
            assert Decimal(position["marketValue"]) == value
        weights = sum((Decimal(position["weight"]) for position in positions), Decimal(0))
        assert weights + Decimal(portfolio["cashWeight"]) == 1
        value = sum((Decimal(position["marketValue"]) for position in positions), Decimal(0))
        assert Decimal(portfolio["marketValue"]) == value
        assert Decimal(portfolio["totalValue"]) == value + Decimal(portfolio["cashBalance"])
        transactions = portfolio["transactions"]["nodes"]
        assert len(transactions) == 20
        instants = [transaction["executedAt"] for transaction in transactions]
        assert instants == sorted(instants, reverse=True)
    total = sum(Decimal(account["totalValue"]) for account in accounts)
    assert Decimal(me["summary"]["totalValue"]) == total


def test_the_deposit_of_the_readme(demo: Demo, token: str) -> None:
    account = ask(demo, token, "{ me { accounts(first: 1) { nodes { id cashBalance } } } }")
    (account,) = account["me"]["accounts"]["nodes"]
    deposit = shown("graphql")[1]
    key = str(uuid.uuid4())
    answers = [ask(demo, token, deposit, account=account["id"], key=key)["deposit"] for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0]["transaction"]["amount"] == "250"
    assert answers[0]["userErrors"] == []
    after = ask(
        demo, token, "query($id: ID!) { node(id: $id) { ... on Account { cashBalance } } }", id=account["id"]
    )
    assert Decimal(after["node"]["cashBalance"]) == Decimal(account["cashBalance"]) + 250


def test_the_curl_of_the_readme(demo: Demo, password: str) -> None:
    (curl,) = (block for block in shown("") if block.startswith("curl "))
    line = curl.replace("http://127.0.0.1:8000", demo.url).replace("PASSWORD", password)
    if shutil.which("curl") is None:
        pytest.skip("curl is not on the path")
    answer = subprocess.run(line, shell=True, capture_output=True, text=True, check=True).stdout
    assert '"userErrors":[]' in answer
    assert '"accessToken":"ey' in answer


def test_verify_and_the_other_commands_of_the_readme(demo: Demo, data_dir: Path) -> None:
    table = README.split("## Commands")[1].split("## On your own")[0]
    named = {
        name
        for cell in re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)
        for name in re.findall(r"`([\w-]+)", cell)
    }
    helped = run(["--help"], data_dir)
    listed = set(re.findall(r"^│ ([\w-]+) ", helped, re.MULTILINE)) - {
        "--help",
        "--install-completion",
        "--show-completion",
    }
    assert named | {"serve", "demo"} == listed
    assert re.search(
        r"^\d+ transactions of 2 users in \d+\.\d\d s: 0 differences\.$",
        run(["verify"], data_dir),
        re.MULTILINE,
    )
    assert run(["migrate", "--check"], data_dir) == "The database schema is up to date.\n"


def run(arguments: list[str], data_dir: Path) -> str:
    """What a command prints."""
    done = subprocess.run(
        [sys.executable, "graphfolio.py", *arguments],
        cwd=ROOT,
        env={**environment(data_dir, 0), "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.browser
def test_graphiql_in_a_browser(demo: Demo, password: str) -> None:
    if CHROMIUM is None:
        pytest.skip("chromium is not on the path: GraphiQL is not tried in a browser")
    asked: set[str] = set()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.on("request", lambda request: asked.add(request.url.split("/")[2]))
        page.goto(demo.url)
        assert page.url == f"{demo.url}/graphiql"
        page.fill("#username", "demo")
        page.fill("#password", password)
        page.click("#log-in button")
        expect(page.locator("#viewer")).to_have_text("demo")
        page.click("button.graphiql-execute-button")
        result = page.locator(".result-window")
        expect(result).to_contain_text('"positions"', timeout=20_000)
        expect(result).to_contain_text('"weight"')
        ARTIFACTS.mkdir(exist_ok=True)
        page.screenshot(path=ARTIFACTS / "graphiql.png")
        browser.close()
    assert asked == {demo.url.removeprefix("http://")}


@pytest.mark.browser
def test_trading_in_one_tab_and_watching_in_another(demo: Demo, token: str, password: str) -> None:
    if CHROMIUM is None:
        pytest.skip("chromium is not on the path: GraphiQL is not tried in a browser")
    named = ask(demo, token, "{ me { accounts { nodes { portfolios { nodes { id name } } } } } }")
    accounts = named["me"]["accounts"]["nodes"]
    ids = {p["name"]: p["id"] for account in accounts for p in account["portfolios"]["nodes"]}
    ARTIFACTS.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        trading, watching = Tab(context.new_page(), demo.url), Tab(context.new_page(), demo.url)
        trading.log_in("demo", password)
        watching.log_in("demo", password)
        trade_and_watch(trading, watching, ids["Blue-chip growth"], shown("graphql")[2], ARTIFACTS)
        browser.close()


def test_a_killed_database_is_started_again(demo: Demo, data_dir: Path, token: str) -> None:
    def postmaster() -> int:
        return int((data_dir / "postgres" / "postmaster.pid").read_text().split("\n")[0])

    def is_served_by_another() -> bool:
        try:
            return postmaster() != killed and loopback.get(f"{demo.url}/ready").status_code == 200
        except (OSError, ValueError):
            return False

    killed = postmaster()
    os.kill(killed, signal.SIGKILL)
    assert soon(is_served_by_another), demo.printed.read_text()
    assert ask(demo, token, "{ me { username } }") == {"me": {"username": "demo"}}
    lines = [line for line in demo.printed.read_text().splitlines() if "graphfolio.database" in line]
    assert [json.loads(line)["event"] for line in lines if "embedded" in line] == [
        "The embedded PostgreSQL was ended by SIGKILL. It is started again."
    ]


def test_the_second_start_keeps_everything(demo: Demo, data_dir: Path, password: str) -> None:
    stop(demo)
    again = start(data_dir)
    try:
        printed = again.printed.read_text()
        assert "Login      demo, the password that was printed at the first start\n" in printed
        assert password not in printed
        given = {"username": "demo", "password": password}
        answer = loopback.post(f"{again.url}/graphql", json={"query": LOGIN, "variables": {"input": given}})
        assert answer.json()["data"]["login"]["userErrors"] == []
    finally:
        stop(again)


@pytest.mark.browser
def test_alerts_in_two_tabs_and_after_a_stop(data_dir: Path, demo: Demo, password: str) -> None:
    """A rule in one, its alert in the other; what prices cross while nobody serves comes after the cursor."""
    if CHROMIUM is None:
        pytest.skip("chromium is not on the path: GraphiQL is not tried in a browser")
    ticks = data_dir.parent / "ticks.csv"

    def tick(line: str) -> None:
        ticks.write_text(line + "\n")
        run(["ticks", str(ticks)], data_dir)

    if demo.process.poll() is None:
        stop(demo)
    first = start(data_dir)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        rules, watching = Tab(context.new_page(), first.url), Tab(context.new_page(), first.url)
        rules.log_in("demo", password)
        watching.log_in("demo", password)
        watching.follow(FOLLOW)
        watch(rules, "Coca-Cola is cheap", "KO", "2")
        watch(rules, "Pepsi is cheap", "PEP", "3")
        tick("KO,1.5")
        cursor = told(watching, "Coca-Cola is cheap", "1.5")
        ARTIFACTS.mkdir(exist_ok=True)
        watching.page.screenshot(path=ARTIFACTS / "graphiql-alert.png")
        stop(first)
        tick("PEP,2.5")
        second = start(data_dir)
        try:
            back = Tab(context.new_page(), second.url)
            back.log_in("demo", password)
            back.follow(FOLLOW, after=cursor)
            told(back, "Pepsi is cheap", "2.5")
            assert sum(frame["type"] == "next" for frame in back.frames) == 1
            back.page.screenshot(path=ARTIFACTS / "graphiql-alert-after-a-stop.png")
        finally:
            stop(second)
        browser.close()


def test_every_setting_is_in_the_table() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `?([^|`]*)`? \| (.*) \|$", README, re.MULTILINE)
    expected = []
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, ()) else str(field.default)
        expected.append((Settings.settings_names()[name], default, field.description))
    assert [(name, default.strip(), text) for name, default, text in rows] == expected


def test_every_entry_of_the_map_of_folders_exists() -> None:
    (folders,) = (block for block in shown("") if block.startswith("graph/"))
    for line in folders.splitlines():
        assert (ROOT / line.split()[0]).exists(), line
