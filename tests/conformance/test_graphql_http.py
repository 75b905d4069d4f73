"""GraphQL over HTTP, as the audits of the npm package graphql-http see it."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.graph.server.served import serve_tiny

AUDITS = 61
# Each of these asks for GET, which a server MAY have, and which ours keeps off unless it is told otherwise.
ABOUT_GET = {"5A70", "6A70", "D6D5"}


@pytest.fixture(scope="module")
def audits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm are not on the path: the audits of graphql-http are not run")
    folder = tmp_path_factory.mktemp("audits")
    command = [npm, "install", "--no-audit", "--no-fund", "--silent", "graphql-http@^1.22", "graphql@^16"]
    (folder / "package.json").write_text("{}")
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
    return Path(shutil.copy(Path(__file__).with_name("audits.mjs"), folder))


def results(audits: Path, *, queries_over_get: bool) -> dict[str, str]:
    """Run all audits against a real server; return the status of each by its id."""
    with serve_tiny(queries_over_get=queries_over_get) as served:
        run = subprocess.run(
            ["node", audits.name, served.url + "/graphql"],
            cwd=audits.parent,
            check=True,
            capture_output=True,
            timeout=60,
        )
    return {audit["id"]: audit["status"] for audit in json.loads(run.stdout)}


def test_every_audit_passes_where_queries_may_come_by_get(audits: Path) -> None:
    statuses = results(audits, queries_over_get=True)
    assert len(statuses) == AUDITS
    assert {id_: status for id_, status in statuses.items() if status != "ok"} == {}


def test_with_get_off_only_the_optional_audits_about_get_are_noticed(audits: Path) -> None:
    statuses = results(audits, queries_over_get=False)
    assert len(statuses) == AUDITS
    assert {id_: status for id_, status in statuses.items() if status != "ok"} == dict.fromkeys(
        ABOUT_GET, "notice"
    )
