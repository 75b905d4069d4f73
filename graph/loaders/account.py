"""Loaders of accounts."""

from uuid import UUID

from db.account.queries import ACCOUNTS, fetch_account_values, fetch_user_summary
from db.account.rows import AccountValueRow, ListedAccountRow, UserSummaryRow
from graph.loaders import ById, CountsOf, Loader, PagesOf


class AccountById(ById[ListedAccountRow]):
    listing = ACCOUNTS


class AccountsByUser(PagesOf[ListedAccountRow]):
    listing = ACCOUNTS


class AccountCountByUser(CountsOf):
    listing = ACCOUNTS


class ValuesByAccount(Loader[UUID, AccountValueRow]):
    """What each account is worth."""

    async def batch_load_fn(self, keys: list[UUID]) -> list[AccountValueRow]:
        async with self.login.reading() as connection:
            rows = await fetch_account_values(connection, self.login.viewer_id, keys)
        return [rows[key] for key in keys]


class SummaryByUser(Loader[UUID, UserSummaryRow]):
    """What the viewer has in total; the only key is ever the viewer's id."""

    async def batch_load_fn(self, keys: list[UUID]) -> list[UserSummaryRow]:
        async with self.login.reading() as connection:
            return [await fetch_user_summary(connection, key) for key in keys]
