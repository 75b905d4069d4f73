"""The benchmark of trees measures what it says: the data, the documents, the client, the report."""

import asyncio
import datetime as dt
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, cast
from uuid import uuid4
from xml.etree import ElementTree

import pytest
from graphql import build_schema, parse, validate

from bench.trees import report as reporting
from bench.trees.__main__ import main
from bench.trees.limit import Limit
from bench.trees.load import Client, WrongAnswer, request
from bench.trees.measuring import Bench, Cell, percentile
from bench.trees.peers import NoPeers, install
from bench.trees.plan import Plan, UserPlan, instruments
from bench.trees.requests import Requests
from bench.trees.seeds import COLUMNS, Ids, Rows, seed_rows
from bench.trees.shapes import SHAPES, STANDARD, documents, growth
from bench.trees.statements import STATEMENTS
from bench.trees.targets import Target, new_ring
from investing.auth.tokens import AccessTokens

ROOT = Path(__file__).parents[2]


def test_the_full_size() -> None:
    users = Plan(1).users
    assert len(users) == 1_005
    assert sum(sum(user.portfolios) for user in users) == 9_246
    assert sum(user.position_count for user in users) == 349_025
    assert sum(user.entry_count for user in users) == 1_047_250


def test_what_is_smaller_has_the_same_kinds_of_users() -> None:
    users = Plan(0.001).users
    assert len(users) == 37
    assert len({user.name for user in users}) == 37
    assert Plan(0.001).wide == Plan(1).wide
    assert Plan(0.001).deep == Plan(1).deep


def test_instruments_are_the_same_each_time_and_some_have_no_quote() -> None:
    made = instruments()
    assert made == instruments()
    assert len({each.symbol for each in made}) == 2_000
    assert sum(not each.is_quoted for each in made) == 8


def test_the_seeds_of_a_user_add_up() -> None:
    market = [(uuid4(), each) for each in instruments()]
    rows = seed_rows(Ids(), UserPlan("somebody", (2, 1), 25, 100), market)
    assert {table: len(some) for table, some in rows.items() if some} == {
        "users": 1,
        "logins": 2,
        "refresh_tokens": 1,
        "accounts": 2,
        "portfolios": 3,
        "positions": 75,
        "transactions": 302,
        "lots": 222,
    }
    assert _summed(rows, "transactions", "portfolio_id", "cash_delta") == _summed(
        rows, "portfolios", "id", "cash_balance"
    ) | {None: Decimal("2000.01")}
    for of_position, of_others in (("quantity", "quantity_delta"), ("cost_basis", "cost_delta")):
        held = _summed(rows, "positions", "instrument_id", of_position)
        bought = _summed(rows, "transactions", "instrument_id", of_others)
        assert held == {id: amount for id, amount in bought.items() if id is not None}
    assert _summed(rows, "lots", "instrument_id", "remaining_cost") == held
    ids = [row[1] for row in rows["transactions"]]
    assert len(set(ids)) == len(ids)


def _summed(rows: Rows, table: str, by: str, figure: str) -> dict[Any, Decimal]:
    names = COLUMNS[table].split()
    sums: defaultdict[Any, Decimal] = defaultdict(Decimal)
    for row in rows[table]:
        sums[row[names.index(by)]] += Decimal(row[names.index(figure)])
    return dict(sums)


def test_every_document_is_valid() -> None:
    for schema in ("schema.graphql", "bench/trees/peers/schema.graphql"):
        built = build_schema((ROOT / schema).read_text())
        for key, text in documents(STANDARD).items():
            assert validate(built, parse(text)) == [], f"{key} in {schema}"


def test_every_shape_has_a_document_and_the_limit_a_statement_for_it() -> None:
    shapes = [*SHAPES, *growth(Plan(1).sizes)]
    assert {shape.document for shape in shapes} == documents(STANDARD).keys()
    assert STATEMENTS.keys() == documents(STANDARD).keys() - {"T"}


def test_the_limit_checks_a_token() -> None:
    ring, user, login = new_ring(), uuid4(), uuid4()
    now = dt.datetime.now(dt.UTC)
    token, expires = AccessTokens(ring, "graphfolio", "graphfolio").issue(user, login, now)
    limit = Limit("", ring.signing_secret)
    assert limit.login(f"Bearer {token}".encode()) == (str(user), login, expires.timestamp())
    with pytest.raises(PermissionError):
        limit.login(f"Bearer {token[:-4]}AAAA".encode())
    with pytest.raises(PermissionError):
        Limit("", new_ring().signing_secret).login(f"Bearer {token}".encode())


@asynccontextmanager
async def answering(*answers: bytes) -> AsyncIterator[Client]:
    """Serve these answers, one for each request whatever it is, in two pieces each."""
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"{}"):
            answer = left.pop(0)
            writer.write(answer[:30])
            await writer.drain()
            await asyncio.sleep(0)
            writer.write(answer[30:])
            if not left:
                break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        client = Client(server.sockets[0].getsockname()[1])
        yield client
        client.close()


WHOLE = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"data":{}}'
CHUNKS = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n{"data\r\n5\r\n":{}}\r\n0\r\n\r\n'


async def test_the_client_reads_answers_whole_and_in_chunks() -> None:
    async with answering(WHOLE, CHUNKS, WHOLE) as client:
        wanted = request("any", client.port, {}, b"{}")
        assert await client.ask(wanted) == b'{"data":{}}'
        assert await client.ask(wanted) == b'{"data":{}}'
        assert len(await client.load([wanted], 1, 0)) == 1
        assert client.known == {"any": b'{"data":{}}'}


@pytest.mark.parametrize(
    "answer",
    [
        WHOLE.replace(b'{"data":{}}', b'{"data":[]}'),
        WHOLE.replace(b"200 OK", b"500 No"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{",
    ],
)
async def test_the_client_takes_no_other_answer_than_before(answer: bytes) -> None:
    async with answering(WHOLE, answer) as client:
        wanted = request("any", client.port, {}, b"{}")
        await client.load([wanted], 1, 0)
        with pytest.raises(WrongAnswer):
            await client.load([wanted], 1, 0)


def figures() -> tuple[reporting.Figures, reporting.Setting]:
    """Return figures that nobody measured: Graphfolio costs twice the limit, and failed at T."""
    targets = [
        Target(key, label, 1, cast("Any", None), Client(1))
        for key, label in (("limit", "the limit"), ("graphfolio", "Graphfolio"))
    ]
    bench = Bench(targets, cast(Requests, None), 1, 1, print)
    shapes = list(SHAPES)
    for target, factor in zip(targets, (1, 2), strict=True):
        for shape in shapes:
            for connections in shape.connections:
                cost = [0.001 * factor, 0.002 * factor]
                cell = Cell(server=cost, database=cost, took=[0.004, 0.005 * factor])
                bench.cells[target.key, shape.key, connections] = cell
    targets[1].failures["T"] = "errors: it was late"
    memory = {target.key: [(50.0, 60.0)] * 3 for target in targets}
    shown = reporting.Figures(bench, shapes, memory, [0.5, 1.5], "18.6")
    return shown, reporting.Setting(Plan(1), 2, None, True, 2, 1)


def test_the_report_tells_multiples_of_the_limit_and_what_failed() -> None:
    text = reporting.report(*figures())
    assert "| `{ __typename }` | 3.00 | failed | 1.5 |" in text
    assert "| M: 225 positions x 8 fields | 3.00 | 2.00 (2.00-2.00) | 1.05 |" in text
    assert "| D: 20 transactions after a cursor 15,000 deep | 8 | 5.00 / 5.00 | 10 / 10 |" in text
    assert "- Graphfolio, T: errors: it was late" in text
    assert "without the peers" in text


def test_the_report_goes_between_its_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page, picture = tmp_path / "page.md", tmp_path / "trees.svg"
    page.write_text(f"before\n\n{reporting.BEGIN}\nformer\n{reporting.END}\n\nafter\n")
    monkeypatch.setattr(reporting, "PAGE", page)
    monkeypatch.setattr(reporting, "PLOT", picture)
    for _ in range(2):
        reporting.write(*figures())
        text = page.read_text()
        assert text.startswith(f"before\n\n{reporting.BEGIN}\n\n20")
        assert text.endswith(f"- Graphfolio, T: errors: it was late\n\n{reporting.END}\n\nafter\n")
        assert "former" not in text
    assert ElementTree.fromstring(picture.read_text()).tag.endswith("svg")


def test_the_page_has_the_marks() -> None:
    text = (ROOT / "docs" / "benchmarks.md").read_text()
    assert (text.count(reporting.BEGIN), text.count(reporting.END)) == (1, 1)


def test_percentiles() -> None:
    took = [float(number) for number in range(100, 0, -1)]
    assert (percentile(took, 0.5), percentile(took, 0.99), percentile([1.0], 0.99)) == (51, 100, 1)


def test_without_npm_the_peers_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoPeers, match=r"^there is no npm$"):
        install(tmp_path / "cache", print)
    assert not (tmp_path / "cache").exists()


def test_nothing_of_it_imports_tests() -> None:
    for path in (ROOT / "bench" / "trees").rglob("*.py"):
        assert not re.search(r"^(from|import) tests\b", path.read_text(), re.MULTILINE), path


@pytest.mark.parametrize("arguments", [["--shapes", "T,X"], ["--targets", "hasura"], ["--scale", "2"]])
def test_a_wrong_argument_is_told_at_once(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert "run.py bench: error: " in capsys.readouterr().err


@pytest.mark.soak
def test_a_small_run(tmp_path: Path) -> None:
    """Every answer of both of Graphfolio's ways is the limit's."""
    command = [sys.executable, "-m", "bench", "--scale", "0.001", "--rounds", "1", "--seconds", "0.1"]
    command += ["--targets", "graphfolio,resolvers", "--cache", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert "failed" not in done.stdout
