"""How an address is shown: where the database is, and no secret of it."""

from pathlib import Path

import pytest

from db.server.address import socket_url, without_password


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:hunter2@db.example:5433/money", "me@db.example:5433/money"),
        ("postgresql://me@db.example/money?password=hunter2&sslkey=hunter2", "me@db.example/money"),
        ("postgresql://db.example/money?user=me&password=hunter2", "me@db.example/money"),
        ("postgresql://m%40e:hunter%402@one:1,two:2/money", "m@e@one:1,two:2/money"),
        ("postgresql:///money", "/money"),
    ],
)
def test_no_password_is_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown
    assert "hunter" not in shown


def test_a_socket_is_shown_by_its_folder() -> None:
    url = socket_url("graphfolio_app", Path("/run/some where"))
    assert without_password(url) == "graphfolio_app@/run/some where/graphfolio"
