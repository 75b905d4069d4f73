"""The table takes the symbols that the rule takes, and of ASCII no others."""

import uuid

import asyncpg
import pytest

from tests.investing.rules.test_names import BAD, GOOD

BEYOND_ASCII = {"€", "😀"}
"""Which the rule alone refuses."""

INSERT = (
    "INSERT INTO instruments (id, symbol, name, asset_class, currency) VALUES ($1, $2, 'A', 'EQUITY', 'USD')"
)


async def test_the_check_of_symbols(superuser_url: str) -> None:
    connection = await asyncpg.connect(superuser_url)
    try:
        for symbol in GOOD:
            await connection.execute(INSERT, uuid.uuid4(), symbol)
        for symbol in [*BAD, "abc", " ABC", "ABC "]:
            if symbol not in BEYOND_ASCII and "\0" not in symbol:
                with pytest.raises(asyncpg.CheckViolationError, match="ck_instruments_symbol"):
                    await connection.execute(INSERT, uuid.uuid4(), symbol)
    finally:
        await connection.close()
