"""`import-transactions` and `export-transactions`, run as a person runs them."""

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from db.sessions import open_sessions
from graph.ids import global_id
from tests.commands import Run, run_here
from tests.conftest import on_one_server
from tests.investing.trading.ledgers import HEADER, make_instruments, make_portfolio, make_user
from tests.market_rows import rows

# What an import or an export does in the database is tried on every server in test_importing.
pytestmark = on_one_server

ROOT = Path(__file__).parents[3]

GOOD = (
    HEADER
    + "DEPOSIT,,,,100,0,,2024-01-01T00:00:00.000000Z,\n"
    + 'BUY,ABC,2,10,20,1,,2024-01-02T00:00:00.000000Z,"é, ü"\n'
)


@pytest.fixture(scope="module")
def whose(app_url: str, superuser_url: str) -> tuple[str, str, UUID]:
    """A username, and the name and the id of a portfolio of theirs."""

    async def make() -> tuple[UUID, UUID]:
        await make_instruments(superuser_url, "USD", "ABC")
        async with open_sessions(app_url) as sessions:
            actor = await make_user(superuser_url, sessions)
            return actor.id, await make_portfolio(actor)

    user_id, portfolio_id = asyncio.run(make())
    ((username,),) = rows(superuser_url, "SELECT username FROM users WHERE id = $1", user_id)
    ((name,),) = rows(superuser_url, "SELECT name FROM portfolios WHERE id = $1", portfolio_id)
    return username, name, portfolio_id


@pytest.fixture
def arguments(owner_url: str, tmp_path: Path, whose: tuple[str, str, UUID]) -> Callable[..., list[str]]:
    """A command line."""

    def make(command: str, *given: str, user: str = whose[0], portfolio: str = whose[1]) -> list[str]:
        options = ["--user", user, "--portfolio", portfolio, "--data-dir", str(tmp_path / "data")]
        return [sys.executable, "graphfolio.py", command, *options, *given]

    return make


@pytest.fixture
def environment(owner_url: str, superuser_url: str, whose: tuple[str, str, UUID]) -> dict[str, str]:
    """What the command finds: the module's database, with nothing on its ledger."""
    rows(superuser_url, "TRUNCATE transactions, positions, imports CASCADE")
    rows(superuser_url, "UPDATE portfolios SET cash_balance = 0")
    return {**os.environ, "DATABASE_URL": owner_url, "PYTHONIOENCODING": "utf-8"}


@pytest.fixture
def run(
    arguments: Callable[..., list[str]], environment: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> Run:
    """Runs a command to its end, in this process."""

    def to_the_end(*given: str, **options: str) -> subprocess.CompletedProcess[str]:
        _, _, *line = arguments(*given, **options)
        return run_here(capfd, line, environment)

    return to_the_end


@pytest.fixture
def process(arguments: Callable[..., list[str]], environment: dict[str, str]) -> Run:
    """Runs a command to its end, in a process of its own."""

    def to_the_end(*given: str, **options: str) -> subprocess.CompletedProcess[str]:
        line = arguments(*given, **options)
        return subprocess.run(
            line, cwd=ROOT, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=120
        )

    return to_the_end


def test_in_and_out_and_in_again(
    run: Run, process: Run, tmp_path: Path, whose: tuple[str, str, UUID]
) -> None:
    file, out = tmp_path / "in.csv", tmp_path / "out.csv"
    file.write_text(GOOD, encoding="utf-8")
    dry = run("import-transactions", str(file), "--dry-run")
    assert f"{file}:2: ok\n{file}:3: ok\n2 rows: 2 good, 0 there already" in dry.stdout
    assert dry.stdout.endswith("nothing was changed, this was a dry run.\n")
    first = process("import-transactions", str(file))
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.endswith("2 rows: 2 new, 0 there already, 0 refused, 0 ignored.\n")
    again = run("import-transactions", str(file), portfolio=global_id("Portfolio", whose[2]))
    assert again.stdout.endswith("2 rows: 0 good, 2 there already, 0 refused, 0 ignored.\n")
    written = process("export-transactions", str(out), portfolio=str(whose[2]))
    assert (written.returncode, out.read_text(encoding="utf-8")) == (0, GOOD)
    assert process("export-transactions").stdout == GOOD
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["in.csv", "out.csv"]


def test_in_and_back(
    environment: dict[str, str],
    run: Run,
    tmp_path: Path,
    whose: tuple[str, str, UUID],
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The id that the import tells takes it back, also as the API writes it; its file comes in again."""
    file = tmp_path / "in.csv"
    file.write_text(GOOD, encoding="utf-8")

    def reverse(id: str, user: str = whose[0]) -> subprocess.CompletedProcess[str]:
        line = ["reverse-import", id, "--user", user, "--data-dir", str(tmp_path / "data")]
        return run_here(capfd, line, environment)

    first = run("import-transactions", str(file))
    (id,) = re.findall(r"The id of this import is (\S+): reverse-import reverses it\.", first.stdout)
    done = reverse(str(global_id("Import", UUID(id))))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "Reversed 2 transactions.")
    assert run("export-transactions").stdout == HEADER
    again = reverse(id)
    assert (again.returncode, again.stderr) == (1, "graphfolio: This import has been reversed already.\n")
    none = reverse("nothing")
    assert "graphfolio: nothing is no id of an import: " in none.stderr
    assert "2 new, 0 there already" in run("import-transactions", str(file)).stdout


def test_bad_rows_are_named_and_nothing_is_loaded(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_text(GOOD + "BUY,NOPE,1,1,,,,2024-01-02T00:00:00Z,\n", encoding="utf-8")
    found = run("import-transactions", str(file))
    assert found.returncode == 1
    assert found.stderr == (
        f"{file}:4: There is no instrument NOPE.\n"
        "graphfolio: 3 rows: 2 good, 0 there already, 1 refused, 0 ignored: "
        "nothing was loaded (see --skip-bad).\n"
    )
    assert run("export-transactions").stdout == HEADER
    skipped = run("import-transactions", str(file), "--skip-bad")
    assert skipped.stdout.endswith("3 rows: 2 new, 0 there already, 1 refused, 0 ignored.\n")
    assert (skipped.returncode, run("export-transactions").stdout) == (3, GOOD)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"user": "nobody"}, "There is no user nobody."),
        ({"portfolio": "nothing"}, "has no portfolio nothing."),
    ],
)
def test_whose(run: Run, tmp_path: Path, options: dict[str, str], message: str) -> None:
    file = tmp_path / "in.csv"
    file.write_text(GOOD, encoding="utf-8")
    for command in (("import-transactions", str(file)), ("export-transactions",)):
        found = run(*command, **options)
        assert found.returncode == 1
        assert message in found.stderr


def test_files_that_are_none(run: Run, tmp_path: Path) -> None:
    missing = run("import-transactions", str(tmp_path / "none.csv"))
    assert (missing.returncode, "There is no file" in missing.stderr) == (1, True)
    file = tmp_path / "in.csv"
    file.write_bytes(GOOD.encode("utf-16"))
    wrong = run("import-transactions", str(file))
    assert (wrong.returncode, "in.csv: The file is not UTF-8 (line 1)" in wrong.stderr) == (1, True)
    format = run("import-transactions", str(file), "--format", "mt940")
    assert "There is no format mt940: the formats are csv, ghostfolio, " in format.stderr


def test_a_csv_by_its_columns_and_symbols_by_identifier(run: Run, tmp_path: Path) -> None:
    """100 - 10 x 2 = 80; both files are of a broker that nobody knows."""
    file, symbols = tmp_path / "in.csv", tmp_path / "symbols.csv"
    file.write_text("When;What;Name;Units;Total\n31.01.2024;BOT;US0000000001;2;-20,00\n30.01.2024;;;;100\n")
    symbols.write_text("identifier,symbol\nus0000000001,ABC\n")
    columns = "date=When,type=What,identifier=Name,quantity=Units,net=Total"
    options = ["--columns", columns, "--date-format", "%d.%m.%Y", "--decimal-comma"]
    done = run("import-transactions", str(file), *options, "--map-symbols", str(symbols))
    assert (done.returncode, done.stderr) == (0, "")
    assert run("export-transactions").stdout == HEADER + (
        "DEPOSIT,,,,100,0,,2024-01-30T05:00:00.000000Z,\nBUY,ABC,2,10,20,0,,2024-01-31T05:00:00.000000Z,\n"
    )


def test_a_killed_import_leaves_nothing(
    arguments: Callable[..., list[str]],
    environment: dict[str, str],
    run: Run,
    superuser_url: str,
    tmp_path: Path,
) -> None:
    file = tmp_path / "in.csv"
    lines = [f"DEPOSIT,,,,{number},,,2024-01-01T00:00:00Z,\n" for number in range(1, 20_001)]
    file.write_text(HEADER + "".join(lines))
    process = subprocess.Popen(
        arguments("import-transactions", str(file)),
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    writing = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE query LIKE '%INSERT INTO transactions%' AND state <> 'idle' AND pid <> pg_backend_pid()"
    )
    deadline = time.monotonic() + 60
    while rows(superuser_url, writing) == [(0,)]:
        assert process.poll() is None, "it ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert run("export-transactions").stdout == HEADER
    # Once the server has noticed, the same import runs as if nothing had been.
    again = run("import-transactions", str(file))
    assert (again.returncode, "20000 new" in again.stdout) == (0, True)
