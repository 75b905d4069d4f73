"""The entry point: run a command, and report an expected failure in one line."""

# ruff: noqa: E402
import gc
import os

# Imports leave no garbage, and collecting while they run takes a sixth of the start.
gc.disable()
# Pydantic would search every installed package for plug-ins, and there are none.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

import sys
from collections.abc import Callable

import typer
from pydantic import ValidationError

from commands import database, ledger, market, people, serving
from commands.opening import Stop
from db.schema import SchemaMismatch
from db.server import DatabaseUnavailable
from settings import Settings

# In the order in which --help lists them.
COMMANDS: tuple[Callable[..., None], ...] = (
    serving.serve,
    serving.demo,
    database.migrate,
    serving.worker,
    database.verify,
    database.refresh_performance,
    database.export_schema,
    market.load_prices,
    market.import_prices,
    market.ticks,
    ledger.import_transactions,
    ledger.reverse_import,
    ledger.export_transactions,
    market.rename_symbol,
    market.withdraw_split,
    people.grant_admin,
    people.revoke_admin,
    people.deactivate,
    people.activate,
    people.set_password,
    people.rotate_keys,
)

app = typer.Typer(
    help="A GraphQL API server for investment portfolios.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in COMMANDS:
    app.command()(command)


def main() -> int:
    """Run a command. An expected failure prints one line on standard error and returns exit code 1."""
    from investing.auth.administration import NoSuchUser
    from investing.auth.encryption import DecryptionFailed
    from investing.auth.keys import InvalidKeys
    from investing.auth.secret_file import UnusableSecrets
    from investing.market.bundled import BundledDataError
    from investing.market.price_files import PriceFileError
    from investing.rules.errors import DomainError
    from investing.trading.formats.files import TransactionFileError

    try:
        app(prog_name="graphfolio")
    except ValidationError as error:
        names = Settings.settings_names()
        for problem in error.errors():
            name = str(problem["loc"][0])
            print(f"graphfolio: {names.get(name, name)}: {problem['msg']}", file=sys.stderr)
        return 1
    except (
        Stop,
        DatabaseUnavailable,
        SchemaMismatch,
        NoSuchUser,
        InvalidKeys,
        UnusableSecrets,
        DecryptionFailed,
        BundledDataError,
        PriceFileError,
        TransactionFileError,
        DomainError,
    ) as stop:
        print(f"graphfolio: {stop}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
